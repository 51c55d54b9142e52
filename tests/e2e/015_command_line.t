#!/usr/bin/env python3
"""The command line: help, manual and program say the same; what is wrong on it is said, with its exit code."""
import os
import re
import shutil
import subprocess
import tempfile

from veilleuse_site import PROGRAM, done, ok, run, same

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
work = tempfile.mkdtemp(prefix="veilleuse-line.")
site = os.path.join(work, "site")


def code_of(*arguments):
    code, out, err = run(*arguments)
    return code, err if isinstance(err, str) else err.decode()


def refused(arguments, wanted, says, name):
    code, err = code_of(*arguments)
    ok(code == wanted and re.search(says, err), f"{name}: {wanted}", f"exit {code}: {err}")


# ---- help and manual ----
code, out, _ = run("help")
usage = out.decode()
same(code, 0, "help")
in_help = set(re.findall(r"^  veilleuse ([a-z]+)", usage, re.M))
with open(os.path.join(ROOT, "docs/veilleuse.1"), encoding="utf-8") as file:
    manual = file.read()
synopsis = manual[manual.index(".Sh SYNOPSIS"):manual.index(".Sh DESCRIPTION")]
description = manual[manual.index(".Sh DESCRIPTION"):]
in_synopsis = set(re.findall(r"^\.Nm\n\.Cm ([a-z]+)", synopsis, re.M))
in_description = set(re.findall(r"^\.It Cm ([a-z]+)$", description, re.M))
same(sorted(in_help), sorted(in_synopsis), "help and the manual's synopsis name the same commands")
ok(in_help - {"help"} <= in_description, "each has its paragraph", sorted(in_help - in_description))
options_in_help = set(re.findall(r"--([a-z]+)", usage)) - {"version"}
options_in_manual = set(re.findall(r"Fl Fl ([a-z]+)", synopsis)) | {"mllp"}
ok(options_in_help <= options_in_manual, "each option of help is in the manual", sorted(options_in_help - options_in_manual))
code, out, _ = run("--version")
ok(code == 0 and re.fullmatch(rb"veilleuse \d+\.\d+\.\d+\n", out), "--version", out)
if shutil.which("mandoc"):
    lint = subprocess.run(["mandoc", "-Tlint", os.path.join(ROOT, "docs/veilleuse.1")], capture_output=True, text=True).stdout
    ok(not re.search("WARNING|ERROR", lint), "the manual has no fault", lint)

# ---- what is refused ----
refused([], 64, "usage|no command", "no command")
refused(["nonsense"], 64, "nonsense", "a command that is none")
for command in sorted(in_help - {"help"}):
    refused([command], 64, "usage", f"{command} with nothing")
    refused([command, "a", "b", "--no-such-option"], 64, "no-such-option|usage", f"{command} with an unknown option")
refused(["init", site], 64, "usage|site", "init without a site's name")
refused(["init", site, "--site", "Not An Id"], 64, "site|id", "a site's name with blanks")
same(code_of("init", site, "--site", "line")[0], 0, "init")
refused(["init", site, "--site", "line"], 69, "already", "init where a site is")
refused(["verify", os.path.join(work, "none")], 66, "none", "verify of nothing")
refused(["chart", os.path.join(work, "none"), "census"], 66, "none|site", "chart of nothing")
refused(["chart", site, "nonsense"], 64, "usage", "a question that is none")
refused(["chart", site, "patient", "4711"], 66, "number", "a patient who is not there")
refused(["cat", site, "--from", "x"], 64, "number", "a number that is none")
refused(["rebuild", site, "--until", "yesterday", "--out", "x"], 64, "until|time|RFC", "a time that is none")
refused(["rebuild", site, "--until", "2026-01-01T00:00:00Z"], 64, "usage|out", "--until without --out")
refused(["import", site, os.path.join(work, "absent.hl7")], 66, "absent", "a file that is not there")
refused(["serve", site, "--mllp", "127.0.0.1:99999"], 64, "99999|address|port", "a port that is none")
refused(["serve", site, "--mllp", "127.0.0.1:0", "--web", "0.0.0.0:0"], 78, "loopback", "pages beyond loopback")
refused(["status", site], 69, "", "status of a node that does not run")
refused(["send", "127.0.0.1:1", os.path.join(ROOT, "README.md")], 69, "refused", "send where nobody listens")
refused(["send", "127.0.0.1:1", os.path.join(work, "absent.hl7")], 66, "absent", "send of no file")
with open(os.path.join(site, "veilleuse.conf"), "a", encoding="utf-8") as file:
    file.write("nonsense = 1\n")
refused(["serve", site, "--mllp", "0", "--web", "0"], 78, "nonsense", "a key that is none")


def configured(lines):
    """The configuration with these lines in place of those of the same keys; gives what stood there."""
    path = os.path.join(site, "veilleuse.conf")
    with open(path, encoding="utf-8") as file:
        before = file.read()
    text = before.replace("nonsense = 1\n", "")
    for key in {line.split(" = ")[0] for line in lines.split("\n")}:
        text = re.sub(rf"^{key} = .*\n", "", text, flags=re.M)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + lines + "\n")
    return before


def refused_line(lines, says):
    before = configured(lines)
    refused(["serve", site, "--mllp", "0", "--web", "0"], 78, says, lines.replace("\n", ", ")[:60])
    with open(os.path.join(site, "veilleuse.conf"), "w", encoding="utf-8") as file:
        file.write(before)


for line in ("feed = GAM", "feed = GAM 10", "feed = 10 20", "feed = GAM 20 10", "feed = GAM x 10", "feed = GAM 1 2\nfeed = GAM 1 2"):
    refused_line(line, "value is not NAME LATE_S SILENT_S.*line [0-9]+: feed = ")
for value in ("-1", "400 days", "4e2", "", "18446744073709551616", "9223372036854775808", "0x190"):
    refused_line(f"retention_days = {value}", "value is not a whole number from 0.*line [0-9]+: retention_days =")
refused_line("retention_days = 36501", "retention_days is more than 36500")
refused_line("retention_days = 400\nretention_days = 400", "given twice.*retention_days")
for value in ("off", "", "On", "hold it", "yes"):
    refused_line(f"retention = {value}", "value is neither `on` nor `hold`.*line [0-9]+: retention =")
for key in ("message_bytes_max", "connection_count_max", "reserve_bytes", "late_s", "silent_s"):
    refused_line(f"{key} = much", f"value is not a whole number from 0.*{key} = much")
refused_line("late_s = 2\nsilent_s = 1", "late_s is more than silent_s")
refused_line("silent_s = 9223372036854775807", "silent_s is too large")
refused_line("on_unknown = AR", "neither `AA` nor `AE`")
for value in ("CHU", "", "CHU urn:oid:1.2 PI MORE", "N" * 64 + " urn:oid:1.2"):
    refused_line(f"authority = {value}", "value is not NAME SYSTEM \\[TYPE\\]")
refused_line("authority = CHU urn:oid:1.2\nauthority = CHV urn:oid:1.2", "of a system not given before.*authority = CHV")
refused_line("characters = 8859/2", "not 8859/15, 8859/1 or UTF-8")
refused_line("mllp = 127.0.0.1", "not an ADDRESS:PORT")
refused_line("demo = maybe", "neither `yes` nor `no`")
# What is refused changes nothing, and says so for each command that goes by it.
kept_vault = sorted(os.path.join(at, name) for at, _, names in os.walk(os.path.join(site, "vault")) for name in names)
before = configured("retention_days = soon")
refused(["key", "retain", site], 78, "retention_days = soon", "key retain with a configuration that is none")
refused(["key", "drop-epoch", site, "1"], 78, "retention_days = soon", "key drop-epoch too")
same(sorted(os.path.join(at, name) for at, _, names in os.walk(os.path.join(site, "vault")) for name in names), kept_vault, "nothing is erased by it")
for value in ("0", "1", "36500"):
    configured(f"retention_days = {value}")
    same(code_of("key", "retain", site, "--dry-run")[0] in (0, 69), True, f"retention_days = {value} is taken")
with open(os.path.join(site, "veilleuse.conf"), "w", encoding="utf-8") as file:
    file.write(before)
refused(["key", "retain"], 64, "usage", "key retain of nothing")
refused(["key", "retain", site, "more"], 64, "usage", "key retain of two")
refused(["key", "retain", os.path.join(work, "none")], 66, "none|site", "key retain where no site is")
refused(["key", "drop-epoch", site], 64, "usage", "key drop-epoch of none")
refused(["key", "drop-epoch", site, "x"], 64, "usage|epoch|number", "key drop-epoch of what is no number")

# ---- the vault, damaged ----
with open(os.path.join(site, "veilleuse.conf"), encoding="utf-8") as file:
    kept = file.read().replace("nonsense = 1\n", "")
with open(os.path.join(site, "veilleuse.conf"), "w", encoding="utf-8") as file:
    file.write(kept)
messages = os.path.join(work, "messages.hl7")
run("simulate", "--beds", 20, "--hours", 2, "--out", messages)
same(code_of("import", site, messages)[0], 0, "import")
same(code_of("verify", site)[0], 0, "verify")
bundles = os.path.join(site, "vault/tile/entries")
ok(os.listdir(bundles), "an import without a node is published")
path = os.path.join(bundles, sorted(os.listdir(bundles))[0])
with open(path, "r+b") as file:
    file.seek(3000)
    byte = file.read(1)
    file.seek(3000)
    file.write(bytes([byte[0] ^ 1]))
code, out, err = run("verify", site, "--json")
ok(code == 65 and b"tile/entries" in out, "a bit turned in a bundle is found, and where", f"{code} {out}")
shutil.rmtree(work)
done()
