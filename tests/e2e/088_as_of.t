#!/usr/bin/env python3
"""Charts of the past: what they say equals what a site says that was given only what had come by then; their pages, beside a
running node, cannot be taken for the present, and change nothing of the site."""
import datetime
import html
import http.client
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import time

from veilleuse_site import PROGRAM, Node, Sender, ack_code, adt, done, note, ok, run, same

BANNER = {"fr": "ce n'est PAS le présent", "en": "this is NOT the present"}
node = Node()
other = None
viewer = None


class Viewer:
    """serve --chart FILE: pages of the past."""

    def __init__(self, file):
        self.errors = open(os.path.join(node.base, "viewer.err"), "ab")
        self.process = subprocess.Popen([PROGRAM, "serve", node.dir, "--chart", file],
                                        stdout=subprocess.PIPE, stderr=self.errors, start_new_session=True)
        self.said = self.process.stdout.readline().decode()
        self.web = re.fullmatch(r"web (http://127\.0\.0\.1:\d+/)\n", self.said)
        self.port = int(self.web[1].rsplit(":", 1)[1].rstrip("/")) if self.web else 0

    def get(self, path, language="fr"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", path, headers={"Accept-Language": language})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.errors.close()
        return code

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def words(text):
    """What a reader sees, blanks made one."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def without_place(value):
    """A chart's answer without what depends on where an entry stands: ids and entry numbers; and without what it is of."""
    if isinstance(value, list):
        return [without_place(item) for item in value]
    if isinstance(value, dict):
        return {name: without_place(item) for name, item in value.items() if name not in ("id", "entry", "as_of")}
    return value


def just_before(at):
    """The last microsecond before that millisecond: `cat` does not show which microsecond it was."""
    moment = datetime.datetime.fromisoformat(at.replace("Z", "+00:00")) - datetime.timedelta(microseconds=1)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def ask(site, question, file=None, *more):
    code, out, err = run("chart", site, question, "--json", *more, *(("--file", file) if file else ()))
    return json.loads(out) if code == 0 else f"exit {code}: {err}"


def rebuild(*limits):
    """A new file; what was said when there is none."""
    rebuild.count += 1
    file = os.path.join(node.base, f"past-{rebuild.count}.db")
    code, out, err = run("rebuild", node.dir, *limits, "--out", file)
    return file if code == 0 else f"exit {code}: {err}"


rebuild.count = 0


def one_sentence(code, err, wanted, says):
    return code == wanted and re.search(says, err) and err.count("\n") == 1 and err.startswith("veilleuse: ")


def tree(path):
    """Every file of the site with its size and times."""
    return {os.path.join(d, f): (s.st_size, s.st_mtime_ns)
            for d, _, files in os.walk(path) for f in files for s in (os.lstat(os.path.join(d, f)),)}


def roles_of(pid):
    """The roles that a supervisor started, each with its process."""
    roles = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
            with open(f"/proc/{name}/cmdline", "rb") as file:
                line = file.read().split(b"\0")
        except OSError:
            continue
        if parent == pid and len(line) > 2:
            roles[line[2].decode()] = int(name)
    return roles


try:
    # ---- a site that was fed in three parts, a moment between them ----
    simulated = os.path.join(node.base, "simulated.hl7")
    run("simulate", "--beds", 25, "--hours", 20, "--seed", 11, "--out", simulated)
    with open(simulated, "rb") as file:
        whole = re.split(rb"(?=MSH\|)", file.read())[1:]
    moments = []
    third = len(whole) // 3 + 1
    for at in range(0, len(whole), third):
        part = os.path.join(node.base, "part.hl7")
        with open(part, "wb") as file:
            file.write(b"".join(whole[at:at + third]))
        code, out, err = run("import", node.dir, part)
        ok(code == 0, f"{min(third, len(whole) - at)} messages come", err)
        time.sleep(0.05)
        moments.append(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now := time.time())) + f".{int(now * 1000) % 1000:03d}Z")
        time.sleep(0.05)
    entries = node.entries()
    messages = {entry["index"]: entry for entry in entries if entry["kind"] == "message"}
    bodies = dict(zip(sorted(messages), node.messages()))
    same(len(bodies), len(whole), "all are there")

    # ---- charts of the past, and sites that know no more ----
    received = sorted({entry["received_at"] for entry in messages.values()})
    busy = just_before(received[len(received) // 2])  # in the middle of a part
    limits = [("--until", moments[0]), ("--until", moments[1]), ("--until", busy), ("--until", "2000-01-01T00:00:00Z"),
              ("--until-entry", len(messages) // 4), ("--until-entry", 0), ("--until-entry", entries[-1]["index"])]
    seen = set()
    for option, limit in limits:
        file = rebuild(option, limit)
        if option == "--until":
            known = [index for index in sorted(bodies) if messages[index]["received_at"][:-1] < limit[:-1]]
        else:
            known = [index for index in sorted(bodies) if index <= limit]
        other = Node()
        if known:
            path = os.path.join(other.base, "known.hl7")
            with open(path, "wb") as out:
                out.write(b"".join(bodies[index] for index in known))
            code, _, err = run("import", other.dir, path)
            assert code == 0, err
        name = f"{option} {limit}, {len(known)} messages"
        digest = other.digest()
        same(ask(node.dir, "digest", file)["digest"], digest, f"{name}: the digest is that of a site that knows no more")
        seen.add(digest)
        for question in ("census", "results", "patient", "moves", "allergies", "diagnoses", "documents"):
            same(without_place(ask(node.dir, question, file)), without_place(ask(other.dir, question)), f"{name}: so is {question}")
        as_of = ask(node.dir, "state", file)["as_of"]
        if option == "--until":
            wanted = (limit[:19] + (limit[19:23] if "." in limit else ".000") + "Z", None)
            same((as_of["until"], as_of["until_entry"]), wanted, f"{name}: it says so")
            same(as_of["at"], as_of["until"], f"{name}: which is its moment")
        else:
            same((as_of["until"], as_of["until_entry"], as_of["newest_entry"]), (None, limit, limit), f"{name}: it says so")
            same(as_of["at"], entries[limit]["received_at"], f"{name}: its moment is when that entry was received")
        other.close()
        other = None
    ok(len(seen) == 6, "nothing, four different pasts, everything", len(seen))
    same(ask(node.dir, "state")["as_of"], None, "the living chart is of no moment")
    ok("as_of" not in ask(node.dir, "digest") and "as_of" not in ask(node.dir, "census")[0], "and its answers are as they were")
    middle = rebuild("--until", moments[1])
    whole_answer = ask(node.dir, "census", middle)
    ok(whole_answer and all(row["as_of"]["until"] == moments[1] for row in whole_answer), "every row of a census says what it is of")
    ok(ask(node.dir, "digest", middle)["as_of"]["until"] == moments[1], "so does the digest")
    again = rebuild("--until", moments[1], "--until-entry", entries[-1]["index"])
    same(ask(node.dir, "digest", again)["digest"], ask(node.dir, "digest", middle)["digest"], "both limits hold, the tighter one cuts")
    same(oct(os.stat(middle).st_mode & 0o777), "0o600", "a chart of the past is its owner's alone")
    ok(not [name for name in os.listdir(node.base) if re.search(r"\.(making|db-)", name)], "and one file", os.listdir(node.base))

    # ---- what is refused ----
    with open(middle, "rb") as file:
        before = file.read()
    code, _, err = run("rebuild", node.dir, "--until", moments[0], "--out", middle)
    ok(one_sentence(code, err, 69, "exists already") and open(middle, "rb").read() == before, "a file that is there is left alone", err)
    fresh = os.path.join(node.base, "fresh.db")
    for arguments, wanted, says in ((("--until", "yesterday"), 64, "RFC 3339"), (("--until", "2021-02-08"), 64, "RFC 3339"),
                                    (("--until", "2021-10-31T02:30:00"), 64, "twice"), (("--until", "2999-01-01T00:00:00Z"), 64, "not come yet"),
                                    (("--until-entry", len(entries)), 66, f"newest is number: {len(entries) - 1}")):
        code, _, err = run("rebuild", node.dir, *arguments, "--out", fresh)
        ok(one_sentence(code, err, wanted, says) and not os.path.exists(fresh), f"rebuild {arguments[0]} {arguments[1]}: {wanted}", code, err)
    for arguments in (("--until-entry", "x", "--out", fresh), ("--until-entry", "-1", "--out", fresh), ("--until-entry", 3),
                      ("--out", fresh)):
        same(run("rebuild", node.dir, *arguments)[0], 64, f"rebuild {arguments}: 64")

    def changed(sql):
        path = os.path.join(node.base, "changed.db")
        shutil.copy(middle, path)
        with sqlite3.connect(path) as database:
            database.execute(sql)
        database.close()
        return path

    text = os.path.join(node.base, "text.db")
    with open(text, "w", encoding="utf-8") as file:
        file.write("no chart\n" * 1000)
    empty = os.path.join(node.base, "empty.db")
    open(empty, "w", encoding="utf-8").close()
    living = os.path.join(node.dir, "chart", max(f for f in os.listdir(node.dir + "/chart") if f.endswith(".db")))
    cases = [("absent", lambda: os.path.join(node.base, "none.db"), 66, "No such file"), ("a text", lambda: text, 65, "not a database"),
             ("an empty file", lambda: empty, 65, "not a chart"), ("a directory", lambda: node.base, 65, "no file"),
             ("of a newer schema", lambda: changed("UPDATE meta SET value = 99 WHERE name = 'schema'"), 69, "newer version"),
             ("never finished", lambda: changed("DELETE FROM meta WHERE name = 'as_of'"), 69, "never finished")]
    for name, path, wanted, says in cases:
        path = path()
        for arguments in (("chart", node.dir, "census", "--file", path), ("serve", node.dir, "--chart", path)):
            code, _, err = run(*arguments, timeout=30)
            ok(one_sentence(code, err, wanted, says), f"{arguments[0]} of a file that is {name}: {wanted}", code, err)
    code, _, err = run("serve", node.dir, "--chart", living, timeout=30)
    ok(one_sentence(code, err, 69, "not of the past"), "the living chart is not looked at that way", code, err)
    same(run("serve", node.dir, "--chart", middle, "--mllp", "0", timeout=30)[0], 64, "a viewer takes no messages")
    code, _, err = run("serve", node.dir, "--chart", middle, "--web", "0.0.0.0:0", timeout=30)
    ok(one_sentence(code, err, 78, "loopback"), "nor is it seen beyond loopback", code, err)

    # ---- the viewer beside a running node ----
    node.start()
    node.wait_until(lambda: node.state()[1]["chart"]["applied"] == node.state()[1]["vault"]["durable"])
    _, before = node.state()
    viewer = Viewer(middle)
    ok(viewer.web, "the viewer prints its address, and nothing else", viewer.said)
    same(sorted(roles_of(viewer.process.pid)), ["open", "web"], "it is two roles")
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("LATER", 987654))), ("AA", b"LATER"), "the node takes a message meanwhile")
    sender.close()
    newest = node.entries()[-1]["index"]
    ok(ask(node.dir, "census", None, "--ward", "CARD") != ask(node.dir, "census", middle, "--ward", "CARD"), "which the past does not know")

    census = ask(node.dir, "census", middle)
    person, ward = census[0]["id"], census[0]["ward"]
    paths = ("/", f"/ward/{ward}", f"/patient/{person}", "/search?q=a", "/search", "/feeds", "/aside", f"/entry/{census[0]['source']['entry']}",
             "/help", "/nothing-here", "/patient/999999", f"/entry/{newest}", "/entry/x")
    year, month, day = moments[1][:10].split("-")
    for language in ("fr", "en"):
        missing, without, stale, bare = [], [], [], []
        for path in paths:
            status, page = viewer.get(path, language)
            wanted = 404 if path in paths[-4:] else 200
            screen = re.search(r'<section class="past" aria-label="[^"]+">(.*?)</section>', page, re.S)
            paper = re.search(r'<div class="running" aria-hidden="true">\s*<div class="past">(.*?)</div>', page, re.S)
            said = [words(part[1]) if part else "" for part in (screen, paper)]
            if status != wanted:
                missing.append((path, status))
            if not all(re.fullmatch(rf"◄◄ (État au|As of) {day}-\S+-{year} (à|at) \d\d:\d\d(:\d\d)? — {BANNER[language]}", part) for part in said) \
                    or "data-past" not in page or BANNER[language] in words(page).replace(said[0], "").replace(said[1], ""):
                without.append((path, said))
            # Help explains the marks of the present.
            if path != "/help" and re.search(r'class="(asof|feed) (current|late|silent|never)"|role="alert"|class="alarm"', page):
                stale.append(path)
            if re.search(r"\(\d+ (s|min|h|j|d)\)", words(page)):
                bare.append(path)
        same(missing, [], f"{language}: every page comes, what came later does not")
        same(without, [], f"{language}: the banner stands on every page, on screen and on paper")
        same(stale, [], f"{language}: nothing is marked fresh or late")
        ok(language == "fr" or not bare, "no age without before what it is", bare)
    home = words(viewer.get("/", "en")[1])
    ok(re.search(r"What was received up to \d\d-\w+-\d{4} at \d\d:\d\d", home) and "before that moment" in home and "File " + os.path.basename(middle) in home
       and re.search(r"Made .* by \S+ on the node node1", home), "the first page says until when, by whom and where it was made", home)
    home = words(viewer.get("/", "fr")[1])
    ok("avant ce moment" in home and "Que faire maintenant" not in home, "and does not say what to do now", home)
    style = viewer.get("/static/style.css")[1]
    print_rules = style[style.index("@media print"):]
    ok(".running .past" in print_rules and "border" in print_rules.split(".running .past")[1].split("}")[0], "on paper the banner has a frame that needs no colour")
    status, entry = viewer.get(f"/entry/{census[0]['source']['entry']}")
    ok(status == 200 and "MSH|" in entry, "the source of a line can be looked at")
    late = min(index for index in messages if messages[index]["received_at"] > moments[1])
    status, page = viewer.get(f"/entry/{late}", "en")
    ok(status == 404 and "by that moment" in page, "an entry that came later cannot", status)
    status, health = viewer.get("/healthz")
    health = json.loads(health)
    ok(status == 200 and health["freshness"] == "past" and health["as_of"]["until"] == moments[1], "/healthz says that it is of the past", health)

    # The node does not know of it.
    code, after = node.state()
    same((code, after["ok"], after["pid"], after["listeners"], {name: role["restarts"] for name, role in after["roles"].items()}),
         (0, True, before["pid"], before["listeners"], {name: role["restarts"] for name, role in before["roles"].items()}),
         "status of the living node is what it was")
    same(run("serve", node.dir, "--mllp", "0", "--web", "0", timeout=20)[0], 69, "a second node is still refused")
    same(viewer.stop(), 0, "SIGTERM ends the viewer")
    same(node.state()[1]["pid"], before["pid"], "and the node still answers its commands")
    same(node.stop(), 0, "the node ends by itself")

    # ---- a viewer with no node: it changes nothing, and takes no lock ----
    kept = tree(node.dir)
    viewer = Viewer(rebuild("--until-entry", len(messages) // 2))
    status, page = viewer.get("/", "en")
    ok(status == 200 and f"(entry {len(messages) // 2}) — {BANNER['en']}" in words(page), "of an entry, the banner names it", words(page)[:200])
    ok(re.search(r"Entries up to number \d+ \(it is in it\)", words(page)), "and the first page says that it is in it")
    same(viewer.get(f"/entry/{len(messages) // 2}")[0], 200, "the last entry is shown")
    same(viewer.get(f"/entry/{len(messages) // 2 + 1}")[0], 404, "the one after it is not")
    same(tree(node.dir), kept, "not one file of the site has changed")
    node.start()
    ok(node.state()[0] == 0 and viewer.get("/")[0] == 200, "a node starts beside it")
    same(viewer.stop(signal.SIGINT), 0, "SIGINT ends it")
    same(node.stop(), 0, "and the node, later")

    # ---- a role of the viewer that dies is started again ----
    viewer = Viewer(middle)
    roles = roles_of(viewer.process.pid)
    for pid in roles.values():
        os.kill(pid, signal.SIGKILL)

    def answers():
        try:
            return viewer.get(f"/entry/{census[0]['source']['entry']}")[0] == 200
        except OSError:
            return False

    ok(len(roles) == 2 and node.wait_until(answers) and not set(roles.values()) & set(roles_of(viewer.process.pid).values()),
       "roles that are killed come back", roles)
    same(viewer.stop(), 0, "and it ends as asked")
    note(f"{len(whole)} messages, {rebuild.count} charts of the past")
finally:
    if viewer:
        viewer.close()
    if other:
        other.close()
    node.close()
done()
