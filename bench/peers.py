#!/usr/bin/env python3
"""peers - yardsticks: what programs that are not ours do with entries of 1 KiB on this machine.

Tessera's POSIX driver adds them durably to a log of the same form as a vault (with its defaults, and with larger batches);
restic, where it is installed, backs the same data up, as one file and as a file each. ENTRIES=200000
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/peers"))
import outside  # noqa: E402
from benchlib import header, line  # noqa: E402

ENTRIES = int(os.environ.get("ENTRIES", "200000"))
ENTRY_BYTES = 1024
FILES_MAX = 20000  # a file each is slow, and is no other at ten times as many


def restic(repository, path, name, count):
    """One first backup; what is measured includes what it syncs, not the making of the repository."""
    environment = {**os.environ, "RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": repository,
                   "RESTIC_CACHE_DIR": repository + ".cache"}
    subprocess.run(["restic", "init", "--quiet"], env=environment, check=True)
    os.sync()
    begun = time.monotonic()
    subprocess.run(["restic", "backup", "--quiet", path], env=environment, check=True)
    line(name, count / (time.monotonic() - begun), "/s")
    shutil.rmtree(repository)


def backups():
    if not shutil.which("restic"):
        print("# restic is not installed: not measured", flush=True)
        return
    whole, each = os.path.join(work, "whole"), os.path.join(work, "each")
    os.mkdir(whole)
    os.mkdir(each)
    with open(os.path.join(whole, "entries"), "wb") as file:
        for _ in range(ENTRIES):
            file.write(os.urandom(ENTRY_BYTES))
    restic(os.path.join(work, "repository"), whole, "restic_backup_one_file_1KiB", ENTRIES)
    count = min(ENTRIES, FILES_MAX)
    for number in range(count):
        with open(os.path.join(each, str(number)), "wb") as file:
            file.write(os.urandom(ENTRY_BYTES))
    restic(os.path.join(work, "repository"), each, "restic_backup_file_each_1KiB", count)


header("peers")
why = outside.download()
work = tempfile.mkdtemp(prefix="veilleuse-peers.")
try:
    if why:
        print(f"# {why}: Tessera is not measured", flush=True)
    else:
        subprocess.run([os.path.join(outside.build(), "tesserabench"), "-entries", str(ENTRIES), work], check=True)
    backups()
finally:
    shutil.rmtree(work, ignore_errors=True)
