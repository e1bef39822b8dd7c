"""A witness as its own process: made, told of a log, asked over HTTP, stopped and started."""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from audit import checkpoint
from audit.witness.__main__ import main
from tests.audit.witness import logs
from tests.audit.witness.logs import leaves_of, request

ROOT = Path(__file__).resolve().parents[3]


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run a witness with nothing of ours in its environment; yields its address."""
    command = [sys.executable, "-m", "audit.witness", "--folder", str(folder), "serve"]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()
            process.wait(timeout=10)


def until_it_answers(address: str) -> httpx.Client:
    deadline = time.monotonic() + 20
    while True:
        try:
            httpx.get(f"{address}/status", timeout=5)
        except httpx.TransportError:
            assert time.monotonic() < deadline, f"nothing answers at {address}"
            time.sleep(0.02)
        else:
            return httpx.Client(base_url=address, timeout=5)


@pytest.mark.requirement("URS-AUD-030")
def test_a_witness_is_a_process_of_its_own_that_remembers(tmp_path, capsys):
    folder, leaves = tmp_path / "witness", leaves_of("a", 9)
    common = ["--folder", str(folder)]
    assert main([*common, "key", logs.WITNESS]) == 0
    assert main([*common, "accept-log", logs.ORIGIN, str(logs.PUBLIC)]) == 0
    public = checkpoint.parse_vkey(capsys.readouterr().out.splitlines()[0])
    with serving(folder) as address, until_it_answers(address) as client:
        good = client.post("/add-checkpoint", content=request(0, leaves[:4]))
        assert good.status_code == 200
        note = logs.note_of(leaves[:4]) + good.text
        assert public in checkpoint.signers(checkpoint.parse_note(note), [public])
        assert client.get("/add-checkpoint").status_code == 405
        assert client.post("/add-checkpoint", content=b"x" * 100_000).status_code == 400
        assert client.get("/nowhere").status_code == 404
        assert "4 records" in client.get("/status").text
    with serving(folder) as again, until_it_answers(again) as client:
        assert again == address  # the port of the last time, as it is free
        late = client.post("/add-checkpoint", content=request(0, leaves))
        assert (late.status_code, late.text) == (409, "4\n")
        assert late.headers["content-type"] == "text/x.tlog.size"
        newest = client.get(f"/{hashlib.sha256(logs.ORIGIN.encode()).hexdigest()}/checkpoint")
        assert checkpoint.parse(newest.text).tree_size == 4


def test_a_folder_without_a_witness_is_refused_in_words(tmp_path, capsys):
    assert main(["--folder", str(tmp_path), "serve"]) == 1
    assert "make one with the command key" in capsys.readouterr().err


def test_a_witness_key_is_no_log_key(tmp_path, capsys):
    common = ["--folder", str(tmp_path / "w")]
    main([*common, "key", logs.WITNESS])
    public = capsys.readouterr().out.strip()
    assert main([*common, "accept-log", logs.ORIGIN, public]) == 1
    assert "witness's key" in capsys.readouterr().err
