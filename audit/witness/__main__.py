"""``python -m audit.witness --folder DIR key NAME | accept-log ORIGIN KEY | serve | status``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from audit.checkpoint import BadCheckpoint
from audit.witness import web
from audit.witness.folder import Folder, FolderRefused
from audit.witness.service import Witness
from audit.witness.state import StateMissing


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    try:
        options.act(options)
    except (FolderRefused, StateMissing, BadCheckpoint, OSError) as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="audit.witness", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="the witness's own folder")
    acts = parser.add_subparsers(required=True)
    key = acts.add_parser("key", help="make a key and an empty state")
    key.add_argument("name", help="like witness.example/quality-partner")
    key.set_defaults(act=make_key)
    accept = acts.add_parser("accept-log", help="accept a ledger's checkpoints")
    accept.add_argument("origin", help="first line of its checkpoints")
    accept.add_argument("key", nargs="+", help="its public key, name+id+base64")
    accept.set_defaults(act=accept_log)
    server = acts.add_parser("serve", help="answer requests until stopped")
    server.add_argument("--host", default="127.0.0.1")
    server.add_argument("--port", type=int, default=0, help="0: the last one, or a free one")
    server.add_argument("--same-port", action="store_true", help="the last port, or end")
    server.set_defaults(act=serve)
    acts.add_parser("status", help="print how the witness stands").set_defaults(act=status)
    return parser


def make_key(options: argparse.Namespace) -> None:
    print(Folder.make(options.folder, options.name).public)


def accept_log(options: argparse.Namespace) -> None:
    folder = Folder(options.folder)
    for key in options.key:
        is_new = folder.accept(options.origin, key)
        print(f"{'accepted' if is_new else 'was accepted already'}: {options.origin} {key}")


def serve(options: argparse.Namespace) -> None:
    folder = Folder(options.folder)
    witness = Witness(folder)
    last = folder.last_port()
    wanted = last if options.same_port else options.port
    with web.listen(options.host, wanted, last=last) as bound:
        host = f"[{options.host}]" if ":" in options.host else options.host
        address = f"http://{host}:{bound.getsockname()[1]}"
        folder.note_address(address)
        print(f"{witness.public.name} answers at {address}", flush=True)
        web.serve(witness, bound)


def status(options: argparse.Namespace) -> None:
    print(Witness(Folder(options.folder)).status().body, end="")


if __name__ == "__main__":
    sys.exit(main())
