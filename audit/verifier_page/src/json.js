// Canonical JSON (RFC 8785) within the limits of the format: reads it and refuses all else.
// Reading refuses whatever writing would spell differently, so no text need be written again.
import { Flaw, textOf } from "./bytes.js";

const DEEPEST = 64; // objects and lists open at once
const LONGEST_INTEGER = 17; // a sign and 16 digits
const FIRST_SURROGATE = 0xd800; // member names stay below
const INTEGER = /-?(?:0|[1-9][0-9]*)/y;
const SHORT_ESCAPES = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };
const WORDS = { t: ["true", true], f: ["false", false], n: ["null", null] };

class Reader {
  constructor(text, place) {
    this.text = text;
    this.place = place;
    this.at = 0;
    this.open = 0;
  }

  refuse(what) {
    throw new Flaw(this.place, `${what} (at character ${this.at + 1}): not canonical JSON`);
  }

  expect(sign) {
    if (this.text[this.at] !== sign) this.refuse(`expected ${sign}`);
    this.at += 1;
  }

  value() {
    const sign = this.text[this.at];
    if (sign === '"') return this.string();
    if (sign === "{") return this.nested(() => this.object());
    if (sign === "[") return this.nested(() => this.list());
    if (sign in WORDS) return this.word(...WORDS[sign]);
    return this.integer();
  }

  nested(read) {
    if (++this.open > DEEPEST) this.refuse(`more than ${DEEPEST} objects and lists open at once`);
    this.at += 1;
    const value = read();
    this.open -= 1;
    return value;
  }

  word(text, value) {
    if (!this.text.startsWith(text, this.at)) this.refuse(`expected ${text}`);
    this.at += text.length;
    return value;
  }

  integer() {
    INTEGER.lastIndex = this.at;
    const found = INTEGER.exec(this.text);
    if (!found) this.refuse("expected a value");
    const text = found[0];
    const value = Number(text);
    if (text === "-0" || text.length > LONGEST_INTEGER || !Number.isSafeInteger(value)) {
      this.refuse(`${text.slice(0, 24)} is no integer within 2^53 - 1`);
    }
    this.at += text.length;
    if (".eE0123456789".includes(this.text[this.at] || " ")) this.refuse("not a plain integer");
    return value;
  }

  string() {
    const { text } = this;
    let start = ++this.at, read = "";
    for (;;) {
      const code = text.charCodeAt(this.at);
      if (code === 0x22) break;
      if (code === 0x5c) {
        read += text.slice(start, this.at) + this.escape();
        start = this.at;
      } else if (code >= 0x20) {
        this.at += 1;
      } else {
        this.refuse(Number.isNaN(code) ? "text without an end" : "a control character");
      }
    }
    read += text.slice(start, this.at);
    this.at += 1;
    return read;
  }

  escape() {
    const sign = this.text[this.at + 1];
    if (sign in SHORT_ESCAPES) {
      this.at += 2;
      return SHORT_ESCAPES[sign];
    }
    const written = this.text.slice(this.at, this.at + 6);
    const code = /^\\u00[01][0-9a-f]$/.test(written) ? parseInt(written.slice(2), 16) : -1;
    if (code < 0 || "\b\t\n\f\r".includes(String.fromCharCode(code))) {
      this.refuse(`the escape ${written}`);
    }
    this.at += 6;
    return String.fromCharCode(code);
  }

  name(before) {
    if (this.text[this.at] !== '"') this.refuse("expected a member name");
    const name = this.string();
    for (let i = 0; i < name.length; i++) {
      if (name.charCodeAt(i) >= FIRST_SURROGATE) this.refuse("a member name beyond U+D7FF");
    }
    if (before !== null && name === before) this.refuse(`member ${name} stands twice`);
    if (before !== null && name < before) this.refuse(`member ${name} is out of order`);
    return name;
  }

  object() {
    const members = Object.create(null); // so that __proto__ is a name like any other
    let before = null;
    if (this.text[this.at] !== "}") {
      for (;;) {
        before = this.name(before);
        this.expect(":");
        members[before] = this.value();
        if (this.text[this.at] !== ",") break;
        this.at += 1;
      }
    }
    this.expect("}");
    return members;
  }

  list() {
    const items = [];
    if (this.text[this.at] !== "]") {
      for (;;) {
        items.push(this.value());
        if (this.text[this.at] !== ",") break;
        this.at += 1;
      }
    }
    this.expect("]");
    return items;
  }
}

/** Return the value of canonical JSON in UTF-8; throws Flaw for any other bytes. */
export function parseCanonical(bytes, place) {
  const reader = new Reader(textOf(bytes, place), place);
  const value = reader.value();
  if (reader.at !== reader.text.length) reader.refuse("text after the value");
  return value;
}

/** Return the canonical text of a value that `parseCanonical` may have given. */
export function canonicalText(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonicalText(value[name])}`);
  return `{${members.join(",")}}`;
}

/** Return whether a value is a JSON object (neither list nor null). */
export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** Throw Flaw unless a value is an object with these members and no other. */
export function checkMembers(value, names, place) {
  if (!isObject(value)) throw new Flaw(place, "is no JSON object");
  const missing = names.filter((name) => !(name in value));
  if (missing.length) throw new Flaw(place, `lacks the member ${missing.join(", ")}`);
  const added = Object.keys(value).filter((name) => !names.includes(name));
  if (added.length) throw new Flaw(place, `has the unknown member ${added.join(", ")}`);
}
