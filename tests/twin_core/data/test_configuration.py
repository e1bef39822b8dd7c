"""Asset files: wholly valid or refused by key; in force by digest and signature alone."""

from pathlib import Path

import pytest
from django.conf import settings as installed
from django.db import DatabaseError, transaction

from audit import api as audit
from tests.twin_core import factories
from twin_core.data import assets, configuration, limits
from twin_core.data.assets import AssetFileInvalid, parse
from twin_core.models import ConfigurationFile, Equipment

FOLDER = Path(__file__).resolve().parents[3] / factories.FOLDER / "assets"
TEXT = (FOLDER / "BR-201.asset.yaml").read_text()


def test_every_shipped_asset_file_is_valid():
    for path in sorted(FOLDER.glob("*.asset.yaml")):
        found = parse(path.read_bytes(), name=path.name)
        assert path.name == f"{found.asset}.asset.yaml"
        assert found.planned_h > 0 and found.limits


@pytest.mark.requirement("URS-WBK-009")
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("format: 1", "format: 2", "format 1"),
        ("planned_h: 336\n", "", "needs exactly the keys"),
        ("asset: BR-201", "asset: BR-201\nnickname: x", "needs exactly the keys"),
        ("planned_h: 336", "planned_h: long", "could not convert"),
        ("    low: 70\n", "    lowest: 70\n", "limits.viability takes low, high, words"),
        ("    low: 5\n", "    low: 60\n", "limits.glucose: low is not below high"),
        ("    high: 40\n", "    high: forty\n", "could not convert"),
        ("    high: 40\n", "    high: .nan\n", "limits.lactate: a bound is no finite number"),
        ("    high: 40\n", "    high: .inf\n", "limits.lactate: a bound is no finite number"),
        ("attributes:\n", "attributes: none\nspare:\n", "needs exactly the keys"),
        ("format: 1", "format: [1", "is not YAML"),
        (TEXT, "- a list", "needs exactly the keys"),
        (TEXT, "!!python/object/apply:os.getpid []", "is not YAML"),
    ],
)
def test_an_asset_file_that_does_not_fit_is_refused_naming_file_and_key(old, new, reason):
    assert old in TEXT
    with pytest.raises(AssetFileInvalid, match=reason) as refused:
        parse(TEXT.replace(old, new, 1).encode(), name="X.asset.yaml")
    assert str(refused.value).startswith("X.asset.yaml: ")
    assert str(refused.value).count("X.asset.yaml") == 1


@pytest.fixture
def files(desk, settings, tmp_path) -> Path:
    """The signed files where a test may change them; Django finds them there."""
    for row in ConfigurationFile.objects.all():
        place = tmp_path / row.path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((installed.BASE_DIR / row.path).read_bytes())
    settings.BASE_DIR = tmp_path
    return tmp_path


def unit() -> Equipment:
    return Equipment.objects.get(tag="BR-201")


def path_of(kind: str) -> str:
    return ConfigurationFile.objects.get(equipment=unit(), kind=kind).path


def sign(person, path: str, **changes):
    files = {ConfigurationFile.Kind.LIMITS: path}
    facts = {
        "signer": person,
        "proof": factories.proved(person),
        "reason": "lactate limit lowered",
        "shown": audit.view_digest(configuration.view(unit(), files)),
    }
    return configuration.put_in_force(unit(), files, **facts | changes)


@pytest.mark.requirement("URS-WBK-009")
@pytest.mark.parametrize("kind", ["limits", "tag_map"])
def test_a_file_that_is_not_the_signed_one_is_refused_whatever_asks_for_it(files, kind):
    assert configuration.refusals(unit()) == []
    place = files / path_of(kind)
    signed = place.read_bytes()
    place.write_bytes(signed + b"\n")
    with pytest.raises(configuration.NotTheSignedFile, match="restore it, or sign the new one"):
        configuration.load(unit(), kind)
    reader = {"limits": assets.of, "tag_map": limits.tag_map}[kind]
    with pytest.raises(configuration.NotTheSignedFile):
        reader(unit())
    assert len(configuration.refusals(unit())) == 1
    place.write_bytes(signed)
    assert configuration.refusals(unit()) == []


@pytest.mark.requirement("URS-WBK-009")
def test_a_changed_file_is_in_force_once_it_is_signed_and_the_old_digest_stays_on_record(
    files, desk
):
    path = path_of("limits")
    before = ConfigurationFile.objects.get(equipment=unit(), kind="limits").digest
    place = files / path
    place.write_text(place.read_text().replace("high: 40", "high: 35"))
    record = sign(desk.site.user("reviewer"), path)
    assert assets.of(unit()).limits["lactate"].high == 35
    (change,) = audit.content(record)["changes"]
    assert change["old"]["digest"] == before != change["new"]["digest"]
    assert [made.is_valid for made in audit.signatures_of(record)] == [True]


@pytest.mark.requirement("URS-WBK-009")
def test_a_file_is_signed_as_it_was_shown_by_quality_assurance_and_not_by_its_maker(files, desk):
    path = path_of("limits")
    reviewer, held = (
        desk.site.user("reviewer"),
        ConfigurationFile.objects.get(equipment=unit(), kind="limits"),
    )
    shown = audit.view_digest(configuration.view(unit(), {"limits": path}))
    (files / path).write_text((files / path).read_text() + "# later\n")
    with pytest.raises(audit.ViewChanged):
        sign(reviewer, path, shown=shown)
    for who, changes in (("engineer", {}), ("reviewer", {"prepared_by": reviewer})):
        with pytest.raises(audit.NotEntitled):
            sign(desk.site.user(who), path, **changes)
    assert ConfigurationFile.objects.get(pk=held.pk).digest == held.digest
    assert configuration.refusals(unit())


@pytest.mark.requirement("URS-WBK-009")
def test_a_digest_that_nobody_signed_is_refused_by_the_database_and_by_whoever_reads_it(desk):
    held = ConfigurationFile.objects.get(equipment=unit(), kind="limits")
    with pytest.raises(DatabaseError), transaction.atomic():
        ConfigurationFile.objects.filter(pk=held.pk).update(digest="0" * 64)
    before = held.state_fields()
    with transaction.atomic():  # on the record, but without a signature
        record = audit.append(
            stream="equipment/BR-201", kind="oq.probe", subject=held, old=before, new=before
        )
        held.save(record=record)
    with pytest.raises(configuration.NotTheSignedFile, match="without a valid signature"):
        assets.of(unit())


def test_an_asset_without_files_is_told_so(desk):
    with transaction.atomic():
        bare = assets.enter(
            parse(TEXT.replace("BR-201", "BR-299").encode(), name="x"),
            actor=desk.site.user("engineer"),
            reason="a new unit",
        )
    assert bare.trust == "monitor"
    assert configuration.refusals(bare) == ["BR-299 has no tag map"]
    with pytest.raises(configuration.NotTheSignedFile, match="sign one"):
        configuration.load(bare, "tag_map")
