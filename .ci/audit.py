"""Ask PyPI whether a known vulnerability is in one of the packages of the lock files; run with pip-audit's own Python.

Exit code 1 where one is, or where an audit went wrong; 0 where there is none, or where the database cannot be reached, which
one line says. pip-audit ends with the same code in both cases, and calls packages that a mirror knows nothing of well.
"""

import json
import re
import subprocess
import sys

UNREACHABLE = re.compile(r"(ConnectionError|ProxyError|SSLError|Timeout|HTTPError: 5\d\d|Could not connect to [^\n]*)")
NOT_REACHED = (
    "The database of vulnerabilities cannot be reached ({reason}), so only the pins and hashes are checked (make test)."
)


def main(locks: list[str]) -> int:
    """Audit each lock file, and print one line or more of each."""
    code = 0
    for lock in locks:
        command = ["-m", "pip_audit", "--requirement", lock, "--require-hashes", "--disable-pip"]
        options = ["--format", "json", "--progress-spinner", "off"]
        done = subprocess.run([sys.executable, *command, *options], capture_output=True, text=True, check=False)
        good, told = judge(done.stdout, done.stderr)
        print("\n".join(f"{lock}: {line}" for line in told))
        code |= not good
    return code


def judge(output: str, errors: str) -> tuple[bool, list[str]]:
    """Whether what pip-audit printed is no reason to stop, and what to say of it."""
    try:
        packages = json.loads(output)["dependencies"]
    except (ValueError, LookupError, TypeError):
        lines = [line.strip() for line in errors.splitlines() if line.strip()] or ["it printed nothing"]
        if found := UNREACHABLE.search(lines[-1]):
            return True, [NOT_REACHED.format(reason=found[0])]
        return False, [f"pip-audit failed: {lines[-1][:300]}"]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if packages and len(skipped) == len(packages):
        return True, [NOT_REACHED.format(reason="it knows none of the packages, as a mirror without that database does")]
    told = [
        f"{package['name']} {package['version']} has {fault['id']}; mended in {' or '.join(fault['fix_versions']) or 'none'}."
        for package in packages
        for fault in package.get("vulns", [])
    ]
    if skipped:
        told.append(f"{len(skipped)} packages could not be audited, such as {skipped[0]}.")
    return not told, told or [f"no known vulnerability in {len(packages)} packages."]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
