"""What is installed is said exactly: every requirement is one version, and every package of the lock has its hashes."""

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted(path.relative_to(ROOT) for path in (*ROOT.glob("requirements*.txt"), *ROOT.glob("*/requirements*.txt")))
PIN = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][A-Za-z0-9.]*(\s+#.*|\s+\\)?( --hash=sha256:[0-9a-f]{64})*")
LOCKS = ["requirements", "requirements-tools"]
ENTRY = re.compile(r"([a-z0-9.-]+)==([0-9][A-Za-z0-9.]*)(?: ; ([^\\]+?))? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")


def requirements(file: Path) -> dict[str, str]:
    """Versions by name, those of files that it names included."""
    found = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        if line.startswith("-r "):
            found |= requirements(file.parent / line[3:])
        elif pin := re.match(r"([A-Za-z0-9._-]+)==(\S+)", line):
            found[re.sub(r"[-_.]+", "-", pin[1]).lower()] = pin[2]
    return found


def complaints(lock: str, wanted: dict[str, str]) -> list[str]:
    """What keeps a lock file from being all of what is wanted and no more, each package with its hashes."""
    told, versions, reasons, hashed, name = [], {}, {}, set(), ""
    for line in lock.splitlines():
        if entry := ENTRY.fullmatch(line):
            name = entry[1]
            versions.setdefault(name, []).append((entry[2], entry[3]))
        elif HASH.fullmatch(line):
            hashed.add((name, len(versions[name])))
        elif line.startswith("    #"):
            reason = line.strip(" #").removeprefix("via").strip()
            reasons.setdefault(name, set()).update({reason} - {""})
        elif not line.startswith("#"):
            told.append(f"{line!r} is neither a package nor a hash")
    for name, found in versions.items():
        told += [f"{name} has no hash" for place in range(1, len(found) + 1) if (name, place) not in hashed]
        if len(found) > 1 and any(marker is None for _, marker in found):
            told.append(f"{name} is there twice")
        asked = {reason for reason in reasons.get(name, ()) if not reason.startswith("-r ")}
        if name not in wanted and not asked & set(versions):
            told.append(f"{name} is not asked for")
    told += [f"{name} is not {version}" for name, version in wanted.items() if versions.get(name) != [(version, None)]]
    return told


def test_there_are_requirements() -> None:
    assert {str(path) for path in FILES} >= {"requirements.txt", "dashboard/requirements.txt", "requirements-tools.txt"}


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_requirement_is_one_version(file: Path) -> None:
    lines = [line.strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines()]
    named = []
    for line in lines:
        if not line or line.startswith(("#", "--hash=")):
            continue
        if line.startswith("-r "):
            assert ((ROOT / file).parent / line[3:]).is_file()
            continue
        assert PIN.fullmatch(line), f"{file}: {line!r} is no name==version"
        named.append(re.split(r"[\[=]", line)[0].lower().replace("_", "-"))
    assert named
    assert len(set(named)) == len(named)


NO_PINS = (
    "duckdb", "duckdb>=2", "duckdb==2.*", "git+https://evil.example/x", "x @ https://evil.example/x", "-e .", "./wheel.whl",
    "--index-url https://evil.example", "duckdb==2.0.0; curl evil",
)  # fmt: skip


@pytest.mark.parametrize("line", NO_PINS)
def test_what_is_no_pin_is_found(line: str) -> None:
    assert not PIN.fullmatch(line)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_is_all_that_is_asked_for_and_every_package_has_its_hashes(name: str) -> None:
    wanted = requirements(ROOT / f"{name}.txt")
    lock = (ROOT / f"{name}.lock").read_text(encoding="utf-8")
    assert wanted
    assert complaints(lock, wanted) == []
    assert "://" not in lock  # nothing comes from anywhere but where pip looks


def test_libraries_of_one_platform_are_asked_for_there_alone() -> None:
    entries = [ENTRY.fullmatch(line) for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()]
    of_cuda = [entry for entry in entries if entry and entry[1].startswith(("nvidia-", "cuda-", "triton"))]
    assert len(of_cuda) > 10
    assert all("sys_platform == 'linux'" in entry[3] for entry in of_cuda)


LOCK = f"""# made by a test
a==1.0 \\
    --hash=sha256:{"0" * 64} \\
    --hash=sha256:{"1" * 64}
    # via -r requirements.txt
b==2.0 ; sys_platform == 'linux' \\
    --hash=sha256:{"2" * 64}
    # via
    #   a
"""
SPOILT_LOCKS = {
    "no hash": (LOCK.replace(f"    --hash=sha256:{'2' * 64}\n", ""), "b has no hash"),
    "half a hash": (LOCK.replace("2" * 64, "2" * 32), "is neither a package nor a hash"),
    "another version": (LOCK.replace("a==1.0", "a==1.1"), "a is not 1.0"),
    "missing": (LOCK[LOCK.index("b==") :], "a is not 1.0"),
    "one more": (f"{LOCK}c==3.0 \\\n    --hash=sha256:{'3' * 64}\n", "c is not asked for"),
    "an index": (f"--extra-index-url https://evil.example\n{LOCK}", "is neither a package nor a hash"),
    "an address": (f"{LOCK}c @ https://evil.example/c.whl \\\n    --hash=sha256:{'3' * 64}\n", "is neither a package nor"),
    "twice": (LOCK + LOCK[LOCK.index("a==") : LOCK.index("b==")], "a is there twice"),
}


def test_the_made_lock_is_whole() -> None:
    assert complaints(LOCK, {"a": "1.0"}) == []


@pytest.mark.parametrize("kind", SPOILT_LOCKS)
def test_what_is_wrong_with_a_lock_is_found(kind: str) -> None:
    lock, told = SPOILT_LOCKS[kind]
    assert any(told in complaint for complaint in complaints(lock, {"a": "1.0"}))


# What pip-audit 2.10.1 prints: its formats of vulnerabilities, of a mirror without the database, and of no network at all.
CLEAN = {"name": "rich", "version": "15.0.0", "vulns": []}
FAULT = {"id": "PYSEC-2026-1", "fix_versions": ["1.1", "0.9.8"], "aliases": [], "description": "d"}
FAULTY = {"name": "x", "version": "1.0", "vulns": [FAULT]}
UNFIXED = {"name": "y", "version": "1.0", "vulns": [{**FAULT, "fix_versions": []}]}
SKIPPED = {"name": "z", "skip_reason": "Dependency not found on PyPI and could not be audited: z (15.0.0)"}
NO_NAME = (
    "Traceback (most recent call last):\nrequests.exceptions.ConnectionError: HTTPSConnectionPool(host='pypi.org', port=443): "
    "Max retries exceeded with url: /pypi/rich/15.0.0/json (Caused by NameResolutionError(\"Failed to resolve 'pypi.org'\"))\n"
)
NO_PROXY = NO_NAME.replace("ConnectionError", "ProxyError")
AUDITS: dict[str, tuple[list | None, str, bool, str]] = {
    "clean": ([CLEAN], "", True, "no known vulnerability in 1 packages."),
    "a vulnerability": ([CLEAN, FAULTY], "Found 1\n", False, "x 1.0 has PYSEC-2026-1; mended in 1.1 or 0.9.8"),
    "one that nobody mended": ([UNFIXED], "", False, "y 1.0 has PYSEC-2026-1; mended in none."),
    "a mirror": ([SKIPPED, SKIPPED], "No known vulnerabilities found\n", True, "cannot be reached (it knows none of"),
    "some unknown": ([CLEAN, SKIPPED], "", False, "1 packages could not be audited, such as z."),
    "unknown and faulty": ([FAULTY, SKIPPED], "", False, "x 1.0 has PYSEC-2026-1"),
    "no network": (None, NO_NAME, True, "cannot be reached (ConnectionError), so only the pins and hashes are checked"),
    "no proxy": (None, NO_PROXY, True, "cannot be reached (ProxyError)"),
    "server in trouble": (None, "pip_audit.ServiceError: HTTPError: 503 Server Error\n", True, "(HTTPError: 503)"),
    "no lock": (None, "ERROR:pip_audit._cli:invalid requirements input: none.lock\n", False, "pip-audit failed: ERROR:"),
    "no pip-audit": (None, "/usr/bin/python: No module named pip_audit\n", False, "failed: /usr/bin/python: No"),
    "nothing": (None, "", False, "pip-audit failed: it printed nothing"),
}  # fmt: skip


@pytest.mark.parametrize("kind", AUDITS)
def test_an_audit_fails_for_a_vulnerability_and_not_for_a_database_out_of_reach(kind: str) -> None:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    audit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(audit)
    packages, errors, good, told = AUDITS[kind]
    output = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    assert audit.judge(output, errors)[0] is good
    assert any(told in line for line in audit.judge(output, errors)[1])
