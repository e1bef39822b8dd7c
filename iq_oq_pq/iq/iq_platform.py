"""IQ-PLATFORM: what the record store stands on is installed as specified."""

import stat
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from iq_oq_pq.iq import catalog
from validation.api import Protocol, Run, compare_with_lock, fingerprint, machine

PYTHON = ("3.11", "3.12", "3.13")
POSTGRESQL = 18
CLOCK_TOLERANCE = 1.0  # seconds between the database's clock and this machine's
RECOVERY = "twin_recovery"  # cannot sign in: the act of two persons after a restore takes it on
PROCESSES = ("twin_application", "twin_gate", RECOVERY)
READERS = (*PROCESSES, "twin_auditor", "twin_indexer", "twin_sealer")
WRITERS = (*PROCESSES, "twin_sealer")
RECORD_COLUMNS = ("stream", "kind", "payload")
BLOCK_COLUMNS = ("number", "header", "leaves")
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}

# The specification of who may do what with the ledger, independent of the migrations that grant it.
SPECIFIED = {
    *(("audit_record", role, "SELECT") for role in READERS),
    *(("audit_record", role, f"INSERT({c})") for role in WRITERS for c in RECORD_COLUMNS),
    *(("audit_block", role, "SELECT") for role in READERS),
    *(("audit_block", "twin_sealer", f"INSERT({column})") for column in BLOCK_COLUMNS),
    *(
        (table, role, right)
        for table in ("audit_tile", "audit_checkpoint")
        for role, right in (
            ("twin_application", "SELECT"),
            ("twin_auditor", "SELECT"),
            ("twin_sealer", "INSERT"),
            ("twin_sealer", "SELECT"),
            (RECOVERY, "SELECT"),
        )
    ),
    *(("audit_blob", role, "SELECT") for role in (*PROCESSES, "twin_auditor", "twin_sealer")),
    *(("audit_blob", role, "INSERT") for role in PROCESSES),
}
CHANGING = {"UPDATE", "DELETE", "TRUNCATE", "TRIGGER", "REFERENCES", "MAINTAIN"}

protocol = Protocol("IQ-PLATFORM", title="The platform is installed as specified")


@protocol.step("IQ-PLATFORM-010", verifies=["URS-VAL-005", "URS-VAL-007"], risk="high")
def packages_are_those_that_were_locked(run: Run) -> None:
    """Each installed package is the locked one, unchanged since it was installed."""
    run.instruct("Compare each package with requirements.txt and each file with its RECORD.")
    states = compare_with_lock()
    flaws = [f"{state.name}: {flaw}" for state in states for flaw in state.flaws]
    run.expect("packages compared, at least one", bool(states), equals=True)
    run.expect("first flaws of packages", flaws[:10], equals=[])
    lines = [(s.name, s.locked, s.installed, s.files_checked, "; ".join(s.flaws)) for s in states]
    run.attach("packages.tsv", catalog.as_lines(lines))
    run.attach("fingerprint.txt", fingerprint(states))


@protocol.step("IQ-PLATFORM-020", verifies=["URS-VAL-007", "URS-AUD-010"])
def python_and_build_are_named(run: Run) -> None:
    """Python is a supported one, and build, interpreter and machine are named."""
    run.instruct("Ask the interpreter for its version and the product for its build.")
    told = machine()
    release = ".".join(told["python"].split(".")[:2])
    run.expect(f"Python {told['python']} is one of {PYTHON}", release in PYTHON, equals=True)
    run.expect("implementation", told["implementation"], equals="CPython")
    run.attach("machine.tsv", catalog.as_lines(told.items()))


@protocol.step("IQ-PLATFORM-030", verifies=["URS-VAL-007"], risk="high")
def database_is_set_up_to_keep(run: Run) -> None:
    """PostgreSQL has the version, encoding, checksums and durability that records need."""
    run.instruct("Ask the server for its version and settings.")
    version = int(catalog.setting("server_version_num")) // 10_000
    run.expect("PostgreSQL, major version", version, equals=POSTGRESQL)
    run.expect("encoding", catalog.setting("server_encoding"), equals="UTF8")
    run.expect("page checksums", catalog.setting("data_checksums"), equals="on")
    for name, value in DURABLE.items():
        run.expect(name, catalog.setting(name), equals=value)


@protocol.step("IQ-PLATFORM-040", verifies=["URS-VAL-007", "URS-AUD-001"], risk="high")
def guards_stand_on_every_protected_table(run: Run) -> None:
    """Every protected table and partition has its triggers, and none can be silenced."""
    run.instruct("Compare the triggers in the database with those every table must have.")
    found = catalog.ask(catalog.TRIGGERS)
    required = catalog.required_triggers()
    missing = required - {(table, name) for table, name, _, _ in found}
    run.expect("triggers that are missing", sorted(missing), equals=[])
    weak = [f"{t}.{n}" for t, n, enabled, _ in found if (t, n) in required and enabled != "A"]
    run.expect("triggers that are not ENABLE ALWAYS", weak, equals=[])
    run.expect("partitions of the ledger, at least one", bool(catalog.partitions()), equals=True)
    run.attach("triggers.tsv", catalog.as_lines(found))
    run.attach("functions.sql", "\n".join(text for (text,) in catalog.ask(catalog.FUNCTIONS)))


@protocol.step("IQ-PLATFORM-050", verifies=["URS-VAL-007", "URS-AUD-004"], risk="high")
def roles_hold_the_rights_specified_and_no_more(run: Run) -> None:
    """Each role may do with the ledger what is specified, and nobody may change it."""
    run.instruct("Compare the rights in the database with the specification.")
    rights = catalog.rights()
    ledger = {right for right in rights if right[0] in catalog.APPEND_ONLY}
    run.expect("rights on the ledger that are missing", sorted(SPECIFIED - ledger), equals=[])
    run.expect("rights on the ledger beyond", sorted(ledger - SPECIFIED), equals=[])
    parts = {right for right in rights if right[0] in catalog.partitions()}
    run.expect("rights on partitions", sorted(parts), equals=[])
    public = sorted(right for right in rights if right[1] == "PUBLIC")
    run.expect("rights that everybody has", public, equals=[])
    auditor = sorted(r for r in rights if r[1] == "twin_auditor" and r[2] != "SELECT")
    run.expect("rights of the auditor beyond reading", auditor, equals=[])
    regulated = catalog.regulated_tables()
    harmful = sorted(r for r in rights if r[0] in regulated and r[2] in CHANGING - {"UPDATE"})
    run.expect("rights to remove regulated rows", harmful, equals=[])
    run.attach("rights.tsv", catalog.as_lines(sorted(rights)))


@protocol.step("IQ-PLATFORM-060", verifies=["URS-VAL-007", "URS-AUD-004"], risk="high")
def roles_are_ordinary(run: Run) -> None:
    """No role of a running process is more than an ordinary one, and the owner cannot sign in."""
    run.instruct("Ask the server for the attributes and memberships of the twin's roles.")
    roles = {name: (login, powerful) for name, login, powerful in catalog.ask(catalog.ROLES)}
    run.expect("roles of processes", [r for r in READERS if r in roles], equals=list(READERS))
    powerful = [name for name, (_, power) in roles.items() if power]
    run.expect("roles with power over the server", powerful, equals=[])
    run.expect("the owner may sign in", roles.get("twin_owner", (None,))[0], equals=False)
    run.expect("memberships in other roles", catalog.ask(catalog.MEMBERS), equals=[])
    current = catalog.ask("SELECT current_user")[0][0]
    run.expect("this protocol runs as", current, equals="twin_application")


@protocol.step("IQ-PLATFORM-070", verifies=["URS-VAL-007"])
def clocks_agree(run: Run) -> None:
    """The database's clock and this machine's agree."""
    run.instruct("Ask the database for the time between two looks at this machine's clock.")
    before = timezone.now()
    database = catalog.ask("SELECT clock_timestamp()")[0][0]
    after = timezone.now()
    outside = max(before - database, database - after, timedelta())
    run.expect("difference of the clocks in s", outside.total_seconds(), at_most=CLOCK_TOLERANCE)
    run.expect("seconds that the question took", (after - before).total_seconds(), at_most=5.0)
    run.expect("zone in which times are stored", settings.TIME_ZONE, equals="UTC")


@protocol.step("IQ-PLATFORM-080", verifies=["URS-VAL-007", "URS-SIG-012"], risk="high")
def keys_are_private(run: Run) -> None:
    """Key files and the file of secrets can be read by their owner alone."""
    run.instruct("Look at the mode of each file that holds a secret.")
    folder = settings.LEDGER_KEY_FILE.parent
    run.expect("signing key present", settings.LEDGER_KEY_FILE.is_file(), equals=True)
    run.expect("folder of keys", open_to_others(folder), equals=None)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    environment = settings.DATA_DIR / "env"
    for path in [*files, *([environment] if environment.exists() else [])]:
        run.expect(path.name, open_to_others(path), equals=None)


@protocol.step("IQ-PLATFORM-090", verifies=["URS-VAL-007"])
def services_in_use_are_named(run: Run) -> None:
    """Database and queue answer; where they are and how they are reached is named."""
    run.instruct("Ask each service in use for its version; name its place without its password.")
    database = settings.DATABASES["default"]
    place = f"{database['HOST']}:{database['PORT']}/{database['NAME']}"
    version = catalog.ask("SELECT version()")[0][0]
    run.expect("database answers", version.startswith("PostgreSQL"), equals=True)
    run.attach("database.txt", f"{way_to(database['HOST'])} {place}\n{version}\n")
    queue = queue_version()
    run.expect("queue answers with its version", bool(queue), equals=True)
    run.attach("queue.txt", f"{way_to(settings.REDIS_URL)}\n{queue}\n")


def open_to_others(path: Path) -> str | None:
    """Return the mode when group or others have any right, else None."""
    mode = stat.S_IMODE(path.stat().st_mode)
    return f"{mode:04o}" if mode & 0o077 else None


def way_to(place: str) -> str:
    """Name how a service is reached: the embedded ones by local sockets."""
    by_socket = place.startswith(("/", "unix:", "redis+socket:"))
    return "local socket" if by_socket else "network"


def queue_version() -> str:
    """Return name and version of the queue's server."""
    from redis import Redis

    with Redis.from_url(settings.REDIS_URL, socket_timeout=5) as client:
        told = client.info("server")
    name = told.get("server_name", "redis")
    return f"{name} {told.get('valkey_version') or told['redis_version']}"
