"""Cases of the verifier page: checkpoints, turning keys, witnesses, the trust file."""

import json

from tests.audit.bundles import js_ledger as made
from tests.audit.bundles.js_cases import FORKED, SPLIT, both, forged, planned, resigned, signed
from tests.audit.bundles.js_ledger import FIRST, SECOND, THIRD, WITNESSES

CHECKPOINTS = [
    planned(
        "a key not in keys.txt",
        "signed by no key of keys.txt",
        lambda plan: setattr(plan, "keys", [SECOND]),
    ),
    planned(
        "a key of another name",
        "signed by no key of keys.txt",
        signed(b1=[made.Key("other.example")], b3=[made.Key("other.example")]),
    ),
    planned(
        "a witness's signature alone",
        "signed by no key of keys.txt",
        signed(b1=[FIRST], b3=[WITNESSES[0]]),
    ),
    planned(
        "a checkpoint of another root",
        "root is",
        lambda plan: setattr(plan, "note", lambda n, text: SPLIT if n == 1 else text),
    ),
    planned(
        "checkpoints that end early", "go on after block 1", lambda plan: plan.checkpoints.pop(3)
    ),
    planned(
        "a manifest of another size",
        "the manifest says 12",
        lambda plan: plan.manifest.update(tree_size=12),
    ),
    planned(
        "an epoch's checkpoint", None, both(FORKED, signed(b1=[FIRST], b2=[FIRST], b3=[FIRST]))
    ),
    planned(
        "an epoch's checkpoint under the plain origin",
        "origin is ledger.example/site-9;",
        both(
            FORKED,
            lambda plan: setattr(plan, "note", lambda n, text: text if n < 2 else resigned(text)),
        ),
    ),
    planned(
        "a witness's signature under an unknown key",
        None,
        signed(b1=[FIRST], b3=[FIRST, *WITNESSES]),
    ),
    planned("a key that turns", None, signed(b0=[FIRST], b1=[FIRST, SECOND], b3=[SECOND])),
    planned(
        "a turned key alone",
        "signs alone after it was turned",
        signed(b0=[FIRST], b1=[FIRST, SECOND], b2=[SECOND], b3=[FIRST]),
    ),
    planned(
        "a turned key alone at once",
        "signs alone after it was turned",
        signed(b0=[FIRST], b1=[FIRST, SECOND], b3=[FIRST]),
    ),
    planned("a turn at the first checkpoint", None, signed(b1=[FIRST, SECOND], b3=[SECOND])),
    planned(
        "a turn at the first checkpoint, taken back",
        "signs alone after it was turned",
        signed(b0=[FIRST, SECOND], b1=[SECOND], b3=[FIRST]),
    ),
    planned("two turns", None, signed(b0=[FIRST, SECOND], b1=[SECOND, THIRD], b3=[THIRD])),
    planned("the last checkpoint turns the key", None, signed(b1=[FIRST], b3=[FIRST, SECOND])),
    planned("a lost key", None, signed(b1=[FIRST], b3=[SECOND])),
    planned(
        "three keys at one checkpoint",
        "more than 2 keys",
        signed(b1=[FIRST], b3=[FIRST, SECOND, THIRD]),
    ),
    planned(
        "of two keys the one that signs on turns again: the other was the former",
        "signs alone after it was turned",
        signed(b0=[FIRST, SECOND], b1=[SECOND, THIRD], b2=[THIRD], b3=[FIRST]),
    ),
    planned(
        "a turned key beside a later one",
        None,
        signed(b0=[FIRST], b1=[FIRST, SECOND], b3=[FIRST, SECOND]),
    ),
    planned("64 signature lines", None, signed(b1=[FIRST], b3=[FIRST] * 64)),
    planned("65 signature lines", "more than 64 signatures", signed(b1=[FIRST], b3=[FIRST] * 65)),
    planned(
        "a signature line without a signature",
        "a signature line is not well formed",
        lambda plan: setattr(plan, "note", lambda n, text: f"{text}— someone AAAAAA==\n"),
    ),
    planned(
        "a signature line by a name with a space",
        "a signature line is not well formed",
        lambda plan: setattr(plan, "note", lambda n, text: f"{text}— some one AAAAAAAA\n"),
    ),
    planned(
        "a key of another name in keys.txt, which signs wrongly",
        None,
        both(
            lambda plan: setattr(plan, "keys", [FIRST, made.Key("other.example")]),
            lambda plan: setattr(
                plan, "note", lambda n, text: text + made.Key("other.example").line("other\n")
            ),
        ),
    ),
    planned(
        "a wrong signature beside a good one",
        "the signature of",
        lambda plan: setattr(plan, "note", lambda n, text: text + FIRST.line("other\n")),
    ),
    planned("a token", None, lambda plan: plan.tokens.append(1)),
    forged(
        "a token of another size",
        "no checkpoint of the bundle has 9 records",
        lambda files: files.update({"tokens/9.txt": b"x"}),
    ),
    forged(
        "a token of another body",
        "is not the body of the checkpoint",
        lambda files: files.update({"tokens/4.txt": b"x"}),
    ),
]


OTHER_KIND = f"pq.example+{made.sha256(b'pq.example' + bytes([10, 6, 0, 0]))[:4].hex()}+BgAA"


def keys(*held: made.Key) -> str:
    return "# from the inspectorate\n\n" + "".join(f"{key.text}\n" for key in held)


EARLIER = made.Maker(made.plan()).checkpoint(1)
FOREIGN = SPLIT
LATER = made.Maker(made.plan((1, 3, 2, 5, 1), (1, 4))).checkpoint(4)
TURNING = signed(b0=[FIRST], b1=[FIRST, SECOND], b3=[SECOND])
COSIGNED = signed(b1=[FIRST], b3=[FIRST, *WITNESSES])


def broken_cosignature(n: int, text: str) -> str:
    return (
        text.replace(WITNESSES[0].line(made.Maker(made.plan()).body(n)), "")
        + WITNESSES[0].line("other\n")
        if n == 3
        else text
    )


OTHER = made.Key("other.example")
ONE_KEY = [
    made.Key(name, "one", made.WITNESS, "one")
    for name in ("witness.example/a", "witness.example/b")
]
ONE_NAME = [made.Key("witness.example/a", salt, made.WITNESS) for salt in ("one", "two")]
TRUST = [
    planned("the ledger's key", None, lambda plan: None, trust=keys(FIRST)),
    planned("another key", "by no trusted key", lambda plan: None, trust=keys(SECOND)),
    planned(
        "a key of another ledger",
        "vouches for no key of this ledger",
        lambda plan: None,
        trust=keys(made.Key("other")),
    ),
    planned("an earlier checkpoint as a note", None, lambda plan: None, trust=EARLIER),
    planned(
        "an earlier checkpoint as JSON",
        None,
        lambda plan: None,
        trust=json.dumps(EARLIER, ensure_ascii=False) + "\n",
    ),
    planned(
        "a note between keys",
        None,
        lambda plan: None,
        trust=f"{keys(FIRST)}{EARLIER}\n{keys(SECOND)}",
    ),
    planned(
        "Windows line ends",
        None,
        lambda plan: None,
        trust=f"{keys(FIRST)}{EARLIER}".replace("\n", "\r\n"),
    ),
    planned(
        "a checkpoint of another history",
        "trust file line 1: root is",
        lambda plan: None,
        trust=FOREIGN,
    ),
    planned(
        "a later checkpoint", "it is older, or its end was cut off", lambda plan: None, trust=LATER
    ),
    planned(
        "a checkpoint with a wrong signature",
        "the signature of",
        lambda plan: None,
        trust=EARLIER.replace("\n4\n", "\n5\n"),
    ),
    planned("trust passes where the key turns", None, TURNING, trust=keys(FIRST)),
    planned("trust in the next key", None, TURNING, trust=keys(SECOND)),
    planned("trust by a checkpoint passes too", None, TURNING, trust=EARLIER),
    planned(
        "a lost key needs trust from outside",
        "by no trusted key",
        signed(b1=[FIRST], b3=[SECOND]),
        trust=keys(FIRST),
    ),
    planned(
        "a lost key with trust from outside",
        None,
        signed(b1=[FIRST], b3=[SECOND]),
        trust=keys(FIRST, SECOND),
    ),
    planned("a quorum that is met", None, COSIGNED, trust=keys(FIRST, *WITNESSES) + "quorum 3\n"),
    planned(
        "a quorum that is not met",
        "bears 2 cosignatures of trusted witnesses, 3 are asked",
        signed(b1=[FIRST], b3=[FIRST, *WITNESSES[:2]]),
        trust=keys(FIRST, *WITNESSES) + "quorum 3\n",
    ),
    planned(
        "witnesses that are not named",
        "bears 1 cosignatures",
        signed(b1=[FIRST], b3=[FIRST, *WITNESSES[:2]]),
        trust=keys(FIRST, WITNESSES[0], WITNESSES[2]) + "quorum 2\n",
    ),
    planned(
        "a quorum of more witnesses than are named",
        "asks for 2 of 1 witnesses",
        COSIGNED,
        trust=keys(FIRST, WITNESSES[0]) + "quorum 2\n",
    ),
    planned("a quorum of none", "is neither", lambda plan: None, trust=keys(FIRST) + "quorum 0\n"),
    planned(
        "one key under the names of two witnesses",
        "asks for 2 of 1 witnesses",
        signed(b1=[FIRST], b3=[FIRST, *ONE_KEY]),
        trust=keys(FIRST, *ONE_KEY) + "quorum 2\n",
    ),
    planned(
        "one key under two names and a third that is silent",
        "bears 1 cosignatures",
        signed(b1=[FIRST], b3=[FIRST, *ONE_KEY]),
        trust=keys(FIRST, *ONE_KEY, WITNESSES[0]) + "quorum 2\n",
    ),
    planned(
        "two keys of one witness count as two",
        None,
        signed(b1=[FIRST], b3=[FIRST, *ONE_NAME]),
        trust=keys(FIRST, *ONE_NAME) + "quorum 2\n",
    ),
    planned(
        "witnesses alone",
        "holds neither a key of the ledger nor a checkpoint",
        COSIGNED,
        trust=keys(*WITNESSES) + "quorum 3\n",
    ),
    planned(
        "a checkpoint and witnesses, and no key",
        None,
        COSIGNED,
        trust=f"{keys(*WITNESSES)}{EARLIER}quorum 3\n",
    ),
    planned("a byte order mark", None, lambda plan: None, trust="\ufeff" + keys(FIRST)),
    planned(
        "a byte order mark before Windows line ends",
        None,
        COSIGNED,
        trust="\ufeff" + (keys(FIRST, *WITNESSES) + "quorum 3\n").replace("\n", "\r\n"),
    ),
    planned(
        "two byte order marks", "is neither", lambda plan: None, trust=f"\ufeff\ufeff{FIRST.text}\n"
    ),
    planned("a note whose last line is not ended", None, lambda plan: None, trust=EARLIER[:-1]),
    planned("a key whose line is not ended", None, lambda plan: None, trust=FIRST.text),
    planned(
        "a key of another kind alone",
        "holds neither a key of the ledger nor a checkpoint",
        lambda plan: None,
        trust=f"{OTHER_KIND}\n",
    ),
    planned(
        "a key of another kind with a false id",
        "is not that of the key",
        lambda plan: None,
        trust=keys(FIRST) + "pq.example+00000000+BgAA\n",
    ),
    planned(
        "a trusted key of another name is passed over, though it signs wrongly",
        None,
        lambda plan: setattr(plan, "note", lambda n, text: text + OTHER.line("other\n")),
        trust=keys(FIRST, OTHER),
    ),
    planned(
        "a trusted checkpoint turns the key",
        "signs alone after it was turned",
        signed(b1=[FIRST], b3=[FIRST, SECOND]),
        trust=keys(FIRST)
        + made.Maker(made.plan()).checkpoint(0, [FIRST, SECOND])
        + made.Maker(made.plan()).checkpoint(1, [SECOND]),
    ),
    planned(
        "a trusted checkpoint by a key that is not in keys.txt, beside one that is",
        None,
        lambda plan: None,
        trust=made.Maker(made.plan()).checkpoint(0, [SECOND]) + EARLIER,
    ),
    planned(
        "a witness who signs twice",
        "bears 1 cosignatures",
        signed(b1=[FIRST], b3=[FIRST, WITNESSES[0], WITNESSES[0]]),
        trust=keys(FIRST, *WITNESSES) + "quorum 2\n",
    ),
    planned(
        "cosignatures of an earlier checkpoint",
        "bears 0 cosignatures",
        signed(b1=[FIRST, *WITNESSES], b3=[FIRST]),
        trust=keys(FIRST, *WITNESSES) + "quorum 1\n",
    ),
    planned(
        "a wrong cosignature under a known key",
        "the cosignature of witness.example/w1",
        both(COSIGNED, lambda plan: setattr(plan, "note", broken_cosignature)),
        trust=keys(FIRST, WITNESSES[0]),
    ),
    planned(
        "a quorum asked twice",
        "a second time",
        lambda plan: None,
        trust=keys(FIRST) + "quorum 1\nquorum 1\n",
    ),
    planned(
        "an unknown line",
        "trust file line 4: is neither",
        lambda plan: None,
        trust=keys(FIRST) + "hello\n",
    ),
    planned(
        "nothing but comments",
        "holds neither a key of the ledger nor",
        lambda plan: None,
        trust="# nothing\n",
    ),
    planned(
        "a key whose id is not its own",
        "is not that of the key",
        lambda plan: None,
        trust=FIRST.text.replace(FIRST.id.hex(), "00000000"),
    ),
    planned(
        "a key of an unknown algorithm is passed over",
        None,
        lambda plan: None,
        trust=keys(FIRST) + f"{OTHER_KIND}\n",
    ),
]
