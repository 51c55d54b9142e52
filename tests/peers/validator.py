"""validator.py - the validator of HL7 FHIR, with its libraries; where Java or they cannot be had, the test is skipped, loudly."""

import fcntl
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
LIB = os.path.join(ROOT, "build/peers/fhir")
sys.path.insert(0, os.path.join(ROOT, "tests/e2e"))


def skip(why):
    print(f"SKIPPED LOUDLY: {os.path.basename(sys.argv[0])}: {why}: no outside validator of FHIR was asked", file=sys.stderr)
    print(f"1..1\nok 1 # SKIP {why}", flush=True)
    sys.exit(0)


def download():
    """What keeps the validator from being had; None when it is here."""
    if not shutil.which("java"):
        return "there is no Java"
    if os.path.exists(os.path.join(LIB, "complete")):
        return None
    if not shutil.which("mvn"):
        return "there is no Maven"
    done = subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(HERE, "fhir/pom.xml"), "dependency:copy-dependencies",
                           "-DoutputDirectory=" + LIB, "-DincludeScope=runtime"], capture_output=True, text=True, timeout=900)
    if done.returncode:
        last = ([line for line in done.stdout.splitlines() if "ERROR" in line] or ["Maven failed"])[0]
        return f"its libraries cannot be had ({last[:160]})"
    with open(os.path.join(LIB, "complete"), "w", encoding="ascii"):
        return None


def prepare():
    os.makedirs(LIB, exist_ok=True)
    with open(os.path.join(LIB, ".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        why = download()
    if why:
        skip(why)
    if not glob.glob(os.path.join(LIB, "*.jar")):
        skip("its libraries are not here")


def validate(*files):
    """(errors, what was checked, everything that was said)"""
    done = subprocess.run(["java", "-Xmx1500m", "-cp", os.path.join(LIB, "*"), os.path.join(HERE, "fhir/Validate.java"), *files],
                          capture_output=True, text=True, timeout=1800)
    lines = done.stdout.splitlines()
    if not lines or not lines[-1].startswith("checked "):
        return ["the validator failed: " + done.stderr[-2000:]], "", lines
    return [line for line in lines if line.startswith(("ERROR", "FATAL"))], lines[-1], lines


if __name__ == "__main__":  # ./dev asks whether it can be had
    os.makedirs(LIB, exist_ok=True)
    reason = download()
    if reason:
        print(reason)
        sys.exit(1)
