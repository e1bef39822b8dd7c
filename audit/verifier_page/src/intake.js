// From what was dropped to a bundle: one folder's files by their paths inside it.
import { Flaw } from "./bytes.js";
import { readZip } from "./zip.js";

const MANIFEST_NAME = "manifest.json";

/** Return the folder of the bundle: that of the manifest nearest to the top. */
function folderOf(paths) {
  const found = paths.filter((path) => path === MANIFEST_NAME || path.endsWith(`/${MANIFEST_NAME}`));
  if (!found.length) throw new Flaw(MANIFEST_NAME, "is missing: this is no bundle");
  const depth = (path) => path.split("/").length;
  const least = Math.min(...found.map(depth));
  const nearest = found.filter((path) => depth(path) === least);
  if (nearest.length > 1) throw new Flaw(nearest[1], "a second bundle; check one at a time");
  return nearest[0].slice(0, -MANIFEST_NAME.length);
}

/** Return {files, folder, outside}: the bundle's files, its folder's name, how many lay outside. */
export function bundleIn(all) {
  const folder = folderOf([...all.keys()]);
  const files = new Map();
  for (const [path, blob] of all) {
    if (path.startsWith(folder)) files.set(path.slice(folder.length), blob);
  }
  return { files, folder: folder.replace(/\/$/, ""), outside: all.size - files.size };
}

/** Return the bundle in a list of {path, file}: a folder, or a single .zip file. */
export async function takeIn(list, progress) {
  const single = list.length === 1 ? list[0] : null;
  const isZip = single && /\.zip$/i.test(single.path);
  const all = isZip ? await readZip(single.file, single.path, progress) : new Map(list.map(({ path, file }) => [path, file]));
  const bundle = bundleIn(all);
  return { ...bundle, name: isZip ? single.path : bundle.folder || "files without a folder" };
}
