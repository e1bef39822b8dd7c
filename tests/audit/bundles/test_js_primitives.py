"""What the verifier page computes itself: digests, signatures, canonical text, DEFLATE."""

import base64
import hashlib
import json
import random
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.audit.bundles import js_curve as curve
from tests.audit.bundles import js_verifier
from tests.audit.bundles.js_ledger import Key

pytestmark = pytest.mark.browser
BYTES = "const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));"
RFC_8032 = [  # 7.1, tests 1 to 3: key, message, signature
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
SMALL_ORDER = [
    "01" + "00" * 31,
    "ec" + "ff" * 30 + "7f",
    "00" * 32,
    "00" * 31 + "80",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
OTHER_ENCODINGS = [  # of the first four: x = 0 with a sign, or y not below p
    "01" + "00" * 30 + "80",
    "ec" + "ff" * 31,
    "ee" + "ff" * 30 + "7f",
    "ee" + "ff" * 31,
    "ed" + "ff" * 30 + "7f",
    "ed" + "ff" * 31,
]
NOT_CANONICAL = [
    *["", " 1", "1 ", "01", "-0", "+1", "1.0", "1e2", "1E2", ".5", "-", "0x1", "NaN", "Infinity"],
    *["9007199254740992", "-9007199254740992", "1" * 400, "True", "nul", "nulll", "'a'", "/**/1"],
    *['"', '"\\"', '"\\u0041"', '"\\u000A"', '"\\u000a"', '"\\/"', '"\\u001F"', '"\\ud83d\\ude00"'],
    *[
        '"\\ud800"',
        '"\t"',
        '"\n"',
        '"\x00"',
        '"\\x41"',
        "[1,]",
        "[,1]",
        "[1 ,2]",
        "[1, 2]",
        "[",
        "]",
    ],
    *['{"a":1,}', '{"b":1,"a":2}', '{"a":1,"a":1}', '{"a": 1}', '{"a"}', "{a:1}", "{", "{1:2}"],
    *[
        '{"\ue000":1}',
        '{"\U0001f600":1}',
        '{"a":1}x',
        "[1]\n",
        "\ufeff1",
        "1\x00",
        "[" * 65 + "]" * 65,
    ],
]


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with js_verifier.opened_browser() as open_page:
        yield open_page()


def each(page: Any, work: str, items: list[Any]) -> list[Any]:
    """Return ``work``, an expression of item, of every item."""
    body = f"(items) => {{ {BYTES} const v = bundleVerifier; return items.map((item) => {work}); }}"
    return page.evaluate(body, items)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.requirement("URS-AUD-086")
@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_digests_are_those_of_the_standard_library(page, name):
    inputs = [random.Random(n).randbytes(n) for n in [*range(300), 1000, 4096, 65537]]
    found = each(page, f"v.hex(v.{name}(bytes(item)))", [text(data) for data in inputs])
    assert found == [hashlib.new(name, data).hexdigest() for data in inputs]


@pytest.mark.requirement("URS-AUD-086")
def test_a_digest_does_not_depend_on_how_the_input_is_cut(page):
    source = random.Random(1)
    cuts = [[source.randbytes(source.randrange(200)) for _ in range(5)] for _ in range(60)]
    found = each(page, "v.hex(v.sha256(...item.map(bytes)))", [[*map(text, cut)] for cut in cuts])
    assert found == [hashlib.sha256(b"".join(cut)).hexdigest() for cut in cuts]


def verdicts(page: Any, cases: list[tuple[bytes, bytes, bytes]]) -> list[bool]:
    """Return what the page says of each (key, message, signature)."""
    packed = [[text(part) for part in case] for case in cases]
    return each(page, "v.verifyEd25519(...item.map(bytes))", packed)


def by_library(case: tuple[bytes, bytes, bytes]) -> bool:
    key, message, signature = case
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@pytest.mark.requirement("URS-AUD-087")
def test_the_vectors_of_the_standard_verify_and_nothing_near_them(page):
    good = [tuple(map(bytes.fromhex, vector)) for vector in RFC_8032]
    assert verdicts(page, good) == [True] * 3
    near = [(key, message + b"x", signature) for key, message, signature in good]
    assert verdicts(page, near) == [False] * 3


@pytest.mark.requirement("URS-AUD-087")
def test_random_signatures_and_every_flipped_bit_are_judged_as_the_library_does(page):
    key, message = Key("flips"), b"a checkpoint"
    signature = key.private.sign(message)
    cases = [(key.public, message, signature)]
    for bit in range(0, 512, 3):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        cases.append((key.public, message, bytes(flipped)))
    for n in range(40):
        other = Key(f"random {n}")
        cases.append((other.public, bytes([n]) * n, other.private.sign(bytes([n]) * n)))
    found = verdicts(page, cases)
    assert found == [by_library(case) for case in cases]
    assert found.count(True) == 41


@pytest.mark.requirement("URS-AUD-087")
def test_a_scalar_not_below_the_order_is_refused(page):
    key, message = Key("scalar"), b"m"
    signature = key.private.sign(message)
    s = int.from_bytes(signature[32:], "little")
    raised = [signature[:32] + (s + n * curve.L).to_bytes(32, "little") for n in (0, 1, 2, 8)]
    assert (
        verdicts(page, [(key.public, message, each_) for each_ in raised]) == [True] + [False] * 3
    )


@pytest.mark.requirement("URS-AUD-087")
@pytest.mark.parametrize("length", [0, 32, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(page, length):
    key = Key("length")
    signature = (key.private.sign(b"m") * 2)[:length]
    assert verdicts(page, [(key.public, b"m", signature)]) == [False]


@pytest.mark.requirement("URS-AUD-087")
@pytest.mark.parametrize("key", [*SMALL_ORDER, *OTHER_ENCODINGS])
def test_a_key_of_small_order_signs_nothing(page, key):
    """For such a key anyone finds signatures: here s is the nonce, wherever k A is nothing."""
    public = bytes.fromhex(key)
    forged = [(public, bytes([n]), curve.signature(0, public, bytes([n]))) for n in range(24)]
    assert not any(verdicts(page, forged))


@pytest.mark.requirement("URS-AUD-087")
def test_a_key_of_small_order_would_pass_the_bare_equation():
    """The test above means something: a lenient verifier accepts some of these."""
    public = bytes.fromhex(SMALL_ORDER[0])
    assert by_library((public, b"\0", curve.signature(0, public, b"\0")))


@pytest.mark.requirement("URS-AUD-087")
def test_the_equation_is_that_without_the_cofactor(page):
    """A key with a part of order 2 in it: right half of the time, and never by multiplying by 8."""
    public = curve.encoded(curve.add(curve.times(77, curve.BASE), curve.MINUS_ONE))
    messages = [bytes([n]) for n in range(16)]
    cases = [(public, message, curve.signature(77, public, message)) for message in messages]
    even = [curve.challenge(case[2][:32], public, case[1]) % 2 == 0 for case in cases]
    assert verdicts(page, cases) == even
    assert len(set(even)) == 2


@pytest.mark.requirement("URS-AUD-087")
def test_a_point_that_is_not_on_the_curve_is_no_key(page):
    off = [n.to_bytes(32, "little") for n in (2, 7, 8, 11)]
    assert not any(verdicts(page, [(key, b"", b"\0" * 64) for key in off]))


def random_value(source: random.Random, depth: int = 0) -> Any:
    kind = source.randrange(6 if depth < 4 else 4)
    if kind == 0:
        return source.choice([None, True, False, 0, -1, 2**53 - 1, 1 - 2**53])
    if kind == 1:
        return source.randrange(-(10**9), 10**9)
    if kind in (2, 3):
        return "".join(chr(source.choice(SIGNS)) for _ in range(source.randrange(8)))
    if kind == 4:
        return [random_value(source, depth + 1) for _ in range(source.randrange(4))]
    names = ["".join(chr(source.choice(LOW)) for _ in range(source.randrange(4))) for _ in range(4)]
    return {name: random_value(source, depth + 1) for name in names}


SIGNS = [*range(0x100), 0x2028, 0x2029, 0xD7FF, 0xE000, 0xFEFF, 0xFFFF, 0x1F600, 0x10FFFF]
LOW = [sign for sign in SIGNS if sign < 0xD800]


@pytest.mark.requirement("URS-AUD-087")
def test_canonical_text_of_another_writer_is_read_and_written_the_same(page):
    source = random.Random(8785)
    texts = [rfc8785.dumps(random_value(source)) for _ in range(400)]
    work = "v.canonicalText(v.parseCanonical(bytes(item), 'here'))"
    found = each(page, work, [text(each_) for each_ in texts])
    assert [each_.encode("utf-8") for each_ in found] == texts


REFUSED = """(() => { try { v.parseCanonical(bytes(item), "here"); return "read"; }
  catch (error) { return error.place === "here" ? "refused" : String(error); } })()"""


@pytest.mark.requirement("URS-AUD-087")
def test_any_other_text_is_refused(page):
    broken = [b"\xff", b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"']
    inputs = [*(each_.encode() for each_ in NOT_CANONICAL), *broken]
    found = each(page, REFUSED, [text(data) for data in inputs])
    assert dict(zip(inputs, found, strict=True)) == dict.fromkeys(inputs, "refused")


@pytest.mark.requirement("URS-AUD-087")
def test_whatever_is_read_is_what_would_be_written(page):
    """Damaged canonical text is either refused or, read and written, the same text."""
    source = random.Random(2)
    texts = []
    for _ in range(600):
        raw = bytearray(rfc8785.dumps([random_value(source), {"a": "b", "c": [1, "\\"]}]))
        raw[source.randrange(len(raw))] = source.choice(b'"\\{}[],:019-u \t\nae\x80')
        texts.append(bytes(raw))
    work = """(() => { try { return v.canonicalText(v.parseCanonical(bytes(item), "here")); }
      catch (error) { if (!error.place) throw error; return null; } })()"""
    found = each(page, work, [text(data) for data in texts])
    read = [(raw, back) for raw, back in zip(texts, found, strict=True) if back is not None]
    assert len(read) > 20
    assert all(raw == back.encode() and json.loads(raw) is not None for raw, back in read)


UNPACKED = """(() => { try { const pieces = [...v.inflated(bytes(item))];
  return pieces.map((piece) => v.hex(v.sha256(piece))).length && v.hex(v.sha256(...pieces)); }
  catch (error) { return "damaged"; } })()"""


@pytest.mark.requirement("URS-AUD-086")
def test_what_the_library_deflates_is_inflated_alone(page):
    source = random.Random(3)
    inputs = [b"", b"a", b"abc" * 100_000, source.randbytes(150_000)]
    inputs += [bytes(source.choices(range(64), k=n)) for n in (10, 1000, 90_000)]
    inputs.append(bytes(source.choices(range(256), k=1000)) * 1200)  # more than one piece
    packed, due = [], []
    for data in inputs:
        for level, strategy in [
            (0, 0),
            (1, 0),
            (9, 0),
            (9, zlib.Z_FIXED),
            (9, zlib.Z_HUFFMAN_ONLY),
        ]:
            packer = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
            packed.append(packer.compress(data) + packer.flush())
            due.append(hashlib.sha256(data).hexdigest())
    assert each(page, UNPACKED, [text(data) for data in packed]) == due


@pytest.mark.requirement("URS-AUD-086")
def test_damaged_deflate_data_is_refused_or_read_as_the_library_does(page):
    source = random.Random(4)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = packer.compress(bytes(source.choices(range(40), k=3000))) + packer.flush()
    damaged = [whole[:-3], whole[: len(whole) // 2], b"\x07", b""]
    for _ in range(200):
        raw = bytearray(whole)
        raw[source.randrange(len(raw))] ^= 1 << source.randrange(8)
        damaged.append(bytes(raw))
    assert each(page, UNPACKED, [text(data) for data in damaged]) == [*map(by_zlib, damaged)]


def by_zlib(data: bytes) -> str:
    unpacker = zlib.decompressobj(-15)
    try:
        out = unpacker.decompress(data)
    except zlib.error:
        return "damaged"
    return hashlib.sha256(out).hexdigest() if unpacker.eof else "damaged"
