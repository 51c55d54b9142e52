"""outside.py - Go, and the programs of tests/peers/cmd built with it; where that cannot be, the test is skipped, loudly."""

import fcntl
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build/peers")
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))

# A newer Go than the machine's own is not fetched, and nothing but what go.sum names.
ENVIRONMENT = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false", "GOWORK": "off"}


def skip(why):
    print(f"SKIPPED LOUDLY: {os.path.basename(sys.argv[0])}: {why}: no outside verifier was asked", file=sys.stderr)
    print(f"1..1\nok 1 # SKIP {why}", flush=True)
    sys.exit(0)


def go():
    """The go command, on PATH or where its own installer puts it; None."""
    for path in (shutil.which("go"), "/usr/local/go/bin/go", "/usr/lib/go/bin/go"):
        if path and os.access(path, os.X_OK):
            return path
    return None


def run_go(*arguments):
    return subprocess.run([go(), *arguments], cwd=HERE, env=ENVIRONMENT, capture_output=True, text=True)


def download():
    """What keeps the modules from being had; None when they are here."""
    if not go():
        return "there is no Go"
    done = run_go("mod", "download")
    if done.returncode == 0:
        return None
    last = (done.stderr.strip().splitlines() or ["go mod download failed"])[-1]
    return f"Go's modules cannot be had ({last[:160]})"


def build():
    """Build the programs once, and give their directory. That they do not compile is no reason to skip."""
    why = download()
    if why:
        skip(why)
    os.makedirs(BUILD, exist_ok=True)
    with open(os.path.join(BUILD, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two tests may run at once
        done = run_go("build", "-o", BUILD + "/", "./cmd/...")
    if done.returncode:
        for line in done.stderr.splitlines():
            print(f"# {line}")
        print("1..1\nnot ok 1 - the outside verifiers compile", flush=True)
        sys.exit(1)
    return BUILD


def peers(*arguments, **options):
    """Run peers; gives (exit code, what it said). Bytes with text=False."""
    options.setdefault("text", True)
    options.setdefault("timeout", 600)
    done = subprocess.run([os.path.join(BUILD, "peers"), *map(str, arguments)], capture_output=True, **options)
    if done.returncode:
        return done.returncode, done.stderr if options["text"] else done.stderr.decode(errors="replace")
    return 0, done.stdout


if __name__ == "__main__":  # ./dev asks whether the modules can be had
    reason = download()
    if reason:
        print(reason)
        sys.exit(1)
