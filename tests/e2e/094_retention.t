#!/usr/bin/env python3
"""What is old goes: stated again first where it must stay, frozen where anything is in doubt, whole wherever it is killed."""
import datetime
import html
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

from veilleuse_site import FAST, PROGRAM, ROOT, Node, Sender, ack_code, adt, done, note, ok, run, same

OLD_SITE = os.path.join(ROOT, "build/release/tests/site/old_site")
DAY = 86400
NOW = int(time.time())
SEED = int(os.environ.get("SEED", NOW))
random.seed(SEED)
note(f"SEED={SEED}")


def old(*arguments):
    subprocess.run([OLD_SITE, *map(str, arguments)], check=True)


def stamp(at, ms=0):
    return datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y%m%d%H%M%S") + f".{ms:03d}+0000"


def message(control, kind, at, patient, *segments, name="DUPONT^Jeanne", application="GAM", ms=0):
    structure = kind + "^" + kind.replace("^", "_")
    lines = [f"MSH|^~\\&|{application}|HOP|VEIL|HOP|{stamp(at, ms)}||{structure}|{control}|P|2.5|||||FRA|UNICODE UTF-8"]
    if kind.startswith("ADT"):
        lines.append(f"EVN|{kind[4:]}|{stamp(at, ms)}")
    lines.append(f"PID|1||{patient}^^^HOP^PI||{name}||19450714|F")
    return "\r".join(lines + list(segments)).encode() + b"\r"


def pv1(visit, place="CARD^101^A^HOP", kind="I"):
    return f"PV1|1|{kind}|{place}||||||||||||||||{visit}^^^HOP^VN"


RESULT = "OBR|1||F{0}|K^Potassium^L|||20260101080000\rOBX|1|NM|K^Potassium^L||4.1|mmol/L|3.5-5.0||||F"


def simulated(hours, seed, at):
    """A synthetic hospital, its days moved so that its first is the one that holds `at`."""
    path = os.path.join(node.base, "simulated.hl7")
    run("simulate", "--out", path, "--hours", hours, "--beds", 20, "--seed", seed)
    with open(path, "rb") as file:
        text = file.read()
    shift = (at - int(datetime.datetime(2026, 1, 5, tzinfo=datetime.timezone.utc).timestamp())) // DAY
    moved = {}

    def move(match):
        day = match.group(1)
        if day not in moved:
            moved[day] = (datetime.datetime.strptime(day.decode(), "%Y%m%d") + datetime.timedelta(days=shift)).strftime("%Y%m%d").encode()
        return moved[day]

    return re.sub(rb"(?<![0-9])(20(?:25|26)(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01]))(?=[0-9]{6})", move, text)


def put(at, *messages, kind=()):
    path = os.path.join(node.base, "batch.hl7")
    with open(path, "wb") as file:
        file.write(b"".join(messages))
    old("add", node.dir, at, path, *kind)


def make_old(at):
    """The node's vault anew, begun at another time."""
    for part in ("vault", "keys", "chart", "cache"):
        shutil.rmtree(os.path.join(node.dir, part))
    for part in ("chart", "cache"):
        os.mkdir(os.path.join(node.dir, part), 0o700)
    old("create", node.dir, "test/veilleuse/node1/1", at)


def stripped(value):
    """Without what must differ after a rebuild: entry numbers, ids, and what is let go."""
    gone = ("source", "cancel_source", "id", "newest_result_at", "abnormal_results_72h")
    if isinstance(value, dict):
        return {k: stripped(v) for k, v in value.items() if k not in gone}
    if isinstance(value, list):
        return sorted((stripped(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


def chart(*question):
    code, out, err = run("chart", node.dir, *question, "--json")
    if code:
        raise RuntimeError(f"chart {question}: {err}")
    return json.loads(out)


def lasting():
    code, out, err = run("chart", node.dir, "digest", "--lasting")
    return out.decode().strip() if code == 0 else err


def what_stays():
    """Everything that must be there after an epoch went: patients with their open stays, census, allergies."""
    patients = stripped(chart("patient"))
    for patient in patients:
        patient["stays"] = [stay for stay in patient["stays"] if stay["is_present"]]
    return {"patients": patients, "census": stripped(chart("census")), "allergies": stripped(chart("allergies")), "digest": lasting()}


def differences(before, after):
    return [f"{part}: {json.dumps(x)[:4000]}" for part in before if part != "digest" for x in
            [x for x in before[part] if x not in after[part]] + [x for x in after[part] if x not in before[part]]]


def same_stays(before, name):
    after = what_stays()
    return ok(before == after, name, before["digest"], after["digest"], *differences(before, after)[:6])


def verified(name):
    code, out, err = run("verify", node.dir, "--json")
    report = json.loads(out) if out else {}
    return ok(code == 0 and report.get("whole"), name, out, err)


def rebuilt():
    code, _, err = run("rebuild", node.dir)
    if code:
        raise RuntimeError("rebuild: " + err)


def blobs():
    return {name for _, _, names in os.walk(node.dir + "/vault/blob") for name in names}


def named_blobs():
    return {e["blob"] for e in node.entries() if "blob" in e}


def epochs():
    return [e["epoch"] for e in json.loads(run("key", "list", node.dir, "--json")[1])["epochs"]]


def retain(*options):
    code, out, err = run("key", "retain", node.dir, "--json", *options)
    try:
        return code, json.loads(out.splitlines()[-1]), err
    except (ValueError, IndexError):
        return code, {}, err


def in_cache(name):
    return os.path.join(node.dir, "cache", name)


def look(**changes):
    """The last look at the clock, with some of it changed."""
    with open(in_cache("retention"), encoding="utf-8") as file:
        lines = dict(line.split(" ", 1) for line in file.read().splitlines()[1:])
    for key, value in changes.items():
        lines[key] = str(value(int(lines[key]))) if callable(value) else value
    with open(in_cache("retention"), "w", encoding="utf-8") as file:
        file.write("veilleuse-look/1\n" + "".join(f"{k} {v}\n" for k, v in lines.items()))


def waits(name, pattern, *options):
    code, answer, err = retain(*options)
    return ok(code == 69 and re.search(pattern, answer.get("waits") or ""), name, code, answer, err)


# ---- a vault of three epochs, two of them old ----

BIG = "ZXX|" + "x" * 60000
PDF = "OBX|1|ED|PDF^Compte rendu^L||^application^pdf^Base64^" + "QUJD" * 20000 + "||||||F"


def special(first, second):
    """Patients made by hand, each for one thing that must stay or go."""
    day = first - 3600
    put(first,
        message("R1", "ORU^R01", day, "R001", RESULT.format(1), application="LABO", name="RESULTAT^Seul"),
        message("R2", "ORU^R01", day + 1, "R002", application="LABO", name="^"),
        message("D1", "MDM^T02", day + 2, "D001", "TXA|1|CR|TX||||||||||DOC1", PDF, application="DPI", name="DOCUMENT^Seul"),
        message("B1", "ADT^A01", day + 3, "B001", pv1("VB1"), BIG, name="GROS^Message"),
        message("A1", "ADT^A08", day + 4, "A001", "AL1|1|DA|LATEX^Latex^L|SV|Choc", "AL1|2|DA|AMOX^Amoxicilline^L", name="ALLERGIE^Ancienne"),
        message("A2", "ADT^A08", day + 5, "A002", "AL1|1|DA|716184000^No known allergy^SCT", name="ALLERGIE^Aucune"),
        message("M1", "ADT^A28", day + 6, "M001", name="FUSION^Perdante"),
        message("M2", "ADT^A40", day + 7, "M002", "MRG|M001^^^HOP^PI", name="FUSION^Gagnante"),
        message("S1", "ADT^A01", day + 8, "S001", pv1("VS1"), "DG1|1||I10^Hypertension^I10", name="SEJOUR^Ouvert"),
        message("S2", "ADT^A02", day + 9, "S001", pv1("VS1", "REA^1^B^HOP"), name="SEJOUR^Ouvert"),
        message("C1", "ADT^A01", day + 10, "C001", pv1("VC1"), "DG1|1||J45^Asthme^I10", name="SEJOUR^Clos"),
        message("C2", "ADT^A03", day + 11, "C001", pv1("VC1"), name="SEJOUR^Clos"),
        message("C3", "ADT^A01", day + 12, "C002", pv1("VC2"), name="SEJOUR^Long"),
        simulated(6, 3, first - DAY))
    day = second - 3600
    put(second,
        message("A3", "ADT^A60", day, "A001", "IAM|1|DA|LATEX^Latex^L|||D", name="ALLERGIE^Ancienne"),
        message("C4", "ADT^A03", day + 1, "C002", pv1("VC2"), name="SEJOUR^Long"),
        message("S3", "ORU^R01", day + 2, "S001", pv1("VS1", "REA^1^B^HOP"), RESULT.format(2), application="LABO", name="SEJOUR^Ouvert"),
        simulated(8, 3, second - DAY))


def make_site():
    first, second = NOW - 420 * DAY, NOW - 410 * DAY
    make_old(first - 2 * DAY)
    special(first, second)
    return first, second


def list_of(question, number):
    return chart(question, number)[question]


def results_of(number):
    return chart("results", number)["reports"]


def stays_of(number):
    return chart("patient", number)["stays"]


def test_drop_by_hand():
    first, second = NOW - 420 * DAY, NOW - 410 * DAY
    make_old(first - 2 * DAY)
    special(first, second)
    old("rotate", node.dir, second + 3600)
    put(second + 7200, message("N1", "ADT^A08", second + 7000, "A001", name="ALLERGIE^Nouvelle"))
    before, had = what_stays(), blobs()
    same(len(had), 2, "two bodies are too large for an entry")
    ok(len(results_of("R001")) == 1 and len(stays_of("C001")) == 1, "results and an ended stay are there")
    count = len(node.entries())
    code, out, err = run("key", "drop-epoch", node.dir, "1", "--why", "a test")
    ok(code == 0 and b"stated again" in out and b"2 documents removed" in out, "an epoch is dropped with no node running", code, out, err)
    again = [e for e in node.entries() if e.get("states_again") is not None]
    ok(again and all(e["index"] >= count for e in again), "what must stay is stated again, at the end")
    ok(all(e["received_at"] < datetime.datetime.fromtimestamp(second + DAY).isoformat() for e in again), "received when it was received")
    ok(not any("|K^Potassium" in e.get("body", "") or "application^pdf" in e.get("body", "") for e in again), "without results and documents")
    kept = blobs()
    ok(len(kept) == 1 and not kept & had, "a large message that must stay is a blob of the new epoch; the old ones are gone", had, kept)
    same_stays(before, "the living chart says the same of all that stays")
    rebuilt()
    same_stays(before, "so does one made anew from the vault")
    same(results_of("R001"), [], "old results are gone")
    same(chart("patient", "R001")["family_name"], "RESULTAT", "who they were of is known")
    same(chart("patient", "R002")["identifier"]["number"], "R002", "also where nothing but a number was")
    same(chart("patient", "D001")["family_name"], "DOCUMENT", "and who a document was of")
    same(stays_of("C001"), [], "an ended stay is gone")
    same(stays_of("C002"), [], "also a long one, as a whole")
    same([s["is_present"] for s in stays_of("S001")], [True], "an open one is there")
    same(len(list_of("diagnoses", "S001")), 1, "with the diagnosis of who is present")
    verified("the vault is whole")
    count = len(node.entries())
    code, out, err = run("key", "drop-epoch", node.dir, "1")
    ok(code == 0 and b"already" in out and b"0 entries are stated again" in out, "dropped again, nothing happens", code, out, err)
    same(len(node.entries()), count, "and nothing is written")
    same(run("key", "drop-epoch", node.dir, "2")[0], 69, "the epoch in use stays")
    # The restated go again, when their own epoch does.
    run("key", "rotate", node.dir)
    code, out, err = run("key", "drop-epoch", node.dir, "2")
    same(code, 0, "the epoch they were stated again in is dropped too")
    first_said = {e["states_again"] for e in again}
    later = [e for e in node.entries() if e.get("states_again") is not None]
    ok(later and {e["states_again"] for e in later} - first_said <= {e for e in range(count)} and first_said & {e["states_again"] for e in later},
       "what is stated a third time names who said it first")
    rebuilt()
    same_stays(before | {}, "and the chart still says the same")
    verified("and the vault is whole")
    return before


def test_drop_through_node():
    make_site()
    old("rotate", node.dir, NOW - 409 * DAY)
    node.start()
    sender = Sender(node.mllp_port)
    same(ack_code(sender.ask(adt("L1", 901))), ("AA", b"L1"), "a node goes on with the old vault")
    run("key", "rotate", node.dir)
    before = what_stays()
    code, out, err = run("key", "drop-epoch", node.dir, "1")
    ok(code == 0, "an epoch is dropped while the node runs", code, out, err)
    same_stays(before, "the living chart says the same")
    code, out, err = run("rebuild", node.dir)
    same(code, 0, "rebuilt while the node runs")
    ok(node.wait_until(lambda: what_stays() == before), "and so does the new one", differences(before, what_stays())[:5])
    same(ack_code(sender.ask(adt("L2", 902))), ("AA", b"L2"), "messages are taken all the while")
    sender.close()
    same(node.stop(), 0, "stop")
    verified("the vault is whole")


def page(path, language):
    """A page in that language, as text without its tags."""
    question = urllib.request.Request(node.web.rstrip("/") + path, headers={"Accept-Language": language})
    with urllib.request.urlopen(question, timeout=30) as answer:
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", answer.read().decode())))


def test_pages():
    """The page of an entry says that it was erased, or what it states again; of neither, that it is as it came."""
    make_site()
    old("rotate", node.dir, NOW - 409 * DAY)
    same(run("key", "drop-epoch", node.dir, "1")[0], 0, "an epoch is dropped")
    again = next(e for e in node.entries() if e.get("states_again") is not None)
    whole = next(e for e in node.entries() if e["kind"] == "note" and "is erased" in e.get("body", ""))
    node.start()
    texts = {language: [page(f"/entry/{index}", language) for index in (5, again["index"], whole["index"])] for language in ("fr", "en")}
    for language, erased, first, unaltered in (("fr", "Cette entrée a été effacée", "Première déclaration : entrée", "Tel que reçu, sans modification"),
                                               ("en", "This entry was erased", "First said in entry", "As received, unaltered")):
        of_erased, of_again, of_whole = texts[language]
        ok(erased in of_erased and "vnd.veilleuse" not in of_erased and "1970" not in of_erased and unaltered not in of_erased,
           f"that it was erased ({language})", of_erased)
        ok(f"{first} {again['states_again']}" in of_again.replace("\u202f", "") and unaltered not in of_again, f"what it states again ({language})", of_again)
        ok(unaltered in of_whole and first not in of_whole and erased not in of_whole, f"any other, as before ({language})", of_whole)
    same(node.stop(), 0, "stop")


# ---- retention: by age, one after the other, and what freezes it ----

def three_epochs():
    """Epochs 1 and 2 are old, 3 is of three days ago, 4 is in use."""
    first, second = NOW - 420 * DAY, NOW - 410 * DAY
    make_old(first - 2 * DAY)
    put(first, *[message(f"X{i}", "ADT^A01", first - 60, f"X{i}", pv1(f"VX{i}"), ms=i) for i in range(30)])
    old("rotate", node.dir, first + 3600)
    put(second, *[message(f"Y{i}", "ADT^A08", second - 60, f"Y{i}", ms=i) for i in range(30)],
        *[message(f"Z{i}", "ORU^R01", second - 50, f"X{i}", RESULT.format(i), application="LABO", ms=i) for i in range(30)])
    old("rotate", node.dir, second + 3600)
    put(NOW - 3 * DAY, message("W1", "ADT^A08", NOW - 3 * DAY - 60, "W1"))
    old("rotate", node.dir, NOW - 2 * DAY)
    put(NOW - DAY, message("W2", "ADT^A08", NOW - DAY - 60, "W2"))


def test_by_age():
    three_epochs()
    before = what_stays()
    same(epochs(), [1, 2, 3, 4], "four epochs")
    waits("the first look at the clock is no reason to erase by it", "watched for a day")
    waits("nor is the second", "watched for a day")
    code, answer, err = retain("--dry-run")
    same((code, answer["epochs_erased"], epochs()), (69, 2, [1, 2, 3, 4]), "what would go is listed all the same")
    look(watch=lambda t: 1, ran=lambda t: t)
    code, answer, err = retain()
    ok(code == 0 and answer["waits"] is None and answer["epochs_erased"] == 2, "after a day of watching what is old goes", code, answer, err)
    same(epochs(), [3, 4], "and nothing else")
    same(answer["oldest_epoch"], 3, "the oldest that is left is named")
    rebuilt()
    same_stays(before, "the chart says the same of all that stays")
    same(results_of("X1"), [], "the results are gone")
    code, answer, err = retain()
    same((code, answer["epochs_erased"]), (0, 0), "again: nothing is due")
    count = len(node.entries())
    retain()
    same(len(node.entries()), count, "and nothing is written")
    verified("the vault is whole")
    node.configure("retention_days", 2)
    code, answer, err = retain()
    same((code, epochs()), (0, [4]), "the configuration says how old is old")
    node.configure("retention_days", 0)
    code, out, _ = run("key", "retain", node.dir)
    ok(code == 0 and b"ever" in out, "0 is for ever", out)
    node.configure("retention_days", 400)


def trust_clock():
    """As after a day of watching; nothing goes by it yet."""
    node.configure("retention", "hold")
    waits("an investigator's hold", "retention = hold", "--go-on")
    node.configure("retention", "on")


def test_freezes_without_a_node():
    three_epochs()
    trust_clock()
    node.configure("retention", "hold")
    code, out, err = run("key", "drop-epoch", node.dir, "1")
    ok(code == 69 and "retention = hold" in err, "a hold stops a person's order too", code, out, err)
    node.configure("retention", "on")
    retain_look = in_cache("retention")
    ok(os.path.exists(retain_look), "the look is remembered")
    look(now=lambda t: t - 3 * DAY * 1000000)
    waits("a clock that jumped ahead since the last look", "jumped ahead by 3 days")
    waits("and stays there", "jumped ahead by 3 days")
    look(now=lambda t: t + 6 * DAY * 1000000)
    waits("or back", "jumped back by 3 days")
    look(now=lambda t: t - 3 * DAY * 1000000)
    boot = "11111111-2222-3333-4444-555555555555"
    look(boot=boot, now=lambda t: t - 40 * DAY * 1000000)
    waits("a machine that was off for 40 days, or a clock set ahead", "was off, or its clock was set ahead, by 40 days")
    look(now=lambda t: t + 33 * DAY * 1000000)
    waits("off for a week: its clock is watched", "watched for a day")
    look(boot=boot, now=lambda t: t + DAY * 1000000)
    waits("a clock behind the last look", "behind the last look")
    os.unlink(retain_look)
    waits("the look was deleted: watched anew", "watched for a day")
    # The vault's own memory of the clock.
    with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
        mine = file.read().strip()
    with open(in_cache("clock"), "w", encoding="utf-8") as file:
        ahead = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        file.write(f"{mine} {int((ahead - 3600) * 1000000)}\n")
    waits("a doubtful clock", "clock is doubtful", "--go-on")
    os.unlink(in_cache("clock"))
    same(epochs(), [1, 2, 3, 4], "all the while nothing went")


def test_downtime_entries():
    three_epochs()
    # Into epoch 2, between the old ones: made anew with a fact in it.
    first, second = NOW - 420 * DAY, NOW - 410 * DAY
    make_old(first - 2 * DAY)
    put(first, message("X0", "ADT^A01", first - 60, "X0", pv1("VX0")))
    old("rotate", node.dir, first + 3600)
    put(second, message("Y0", "ADT^A08", second - 60, "Y0"))
    put(second + 60, message("Y1", "ADT^A08", second - 50, "Y1"), kind=["fact"])
    old("rotate", node.dir, second + 3600)
    put(second + 7200, message("Y2", "ADT^A08", second + 7000, "Y2"))
    old("rotate", node.dir, NOW - 3 * DAY)
    put(NOW - DAY, message("W2", "ADT^A08", NOW - DAY - 60, "W2"))
    code, out, err = run("key", "drop-epoch", node.dir, "2")
    ok(code == 69 and "not given back" in err, "by hand it is refused", code, out, err)
    waits("entries of a downtime that were not given back stop it there", "not given back yet, in epoch 2", "--go-on")
    same(epochs(), [2, 3, 4], "what was older is gone, that epoch and what is younger stay")


def test_lost_entries():
    three_epochs()
    trust_clock()
    node.start()
    node.stop()
    shutil.copytree(node.dir + "/vault", node.base + "/earlier")
    node.start()
    sender = Sender(node.mllp_port)
    for number in range(5):
        sender.ask(adt(f"Q{number}", 700 + number))
    sender.close()
    node.stop()
    shutil.rmtree(node.dir + "/vault")
    shutil.move(node.base + "/earlier", node.dir + "/vault")
    os.unlink(in_cache("repeats"))
    node.start()
    ok(node.wait_until(lambda: any("missing" in p for p in node.state()[1]["problems"])), "the node sees at its start that entries are missing", node.state())
    waits("entries that were signed once are missing", "an alarm stands: publish: entries|are missing, from number")
    node.stop()
    node.start()
    ok(node.wait_until(lambda: node.state()[1]["ok"]), "a restart makes the alarm go", node.state())
    waits("it is not forgotten", "entries that were signed once are missing, from number [0-9]+$")
    same(epochs()[:2], [1, 2], "nothing went")
    code, answer, err = retain("--go-on")
    ok(code == 0 and epochs()[0] == 3, "until a person says that it is known", code, answer, err)
    node.stop()


def test_fork():
    """Another tree of a size that was signed: known without a node too, for as long as nobody says otherwise."""
    three_epochs()
    trust_clock()
    shutil.copytree(node.dir + "/vault", node.base + "/earlier")
    put(NOW - 60, *[message(f"P{i}", "ADT^A08", NOW - 120, f"P{i}", ms=i) for i in range(5)])
    trust_clock()  # which publishes, too
    shutil.rmtree(node.dir + "/vault")
    shutil.move(node.base + "/earlier", node.dir + "/vault")
    put(NOW - 60, *[message(f"O{i}", "ADT^A08", NOW - 120, f"O{i}", ms=i) for i in range(9)])
    waits("another tree was signed of what stands here", "are missing, from number [0-9]+$")
    waits("it is not forgotten", "are missing, from number [0-9]+$")
    node.start()
    ok(node.wait_until(lambda: state_of_retention().get("waits")), "a node knows it too", node.state())
    ok("are missing" in (state_of_retention().get("waits") or ""), "and waits", node.state())
    node.stop()
    same(epochs()[:2], [1, 2], "nothing went")
    verified("the vault is whole")


def state_of_retention():
    state = node.state()[1] or {}
    return state.get("retention") or {}


def test_in_the_node():
    """The node runs it by itself, and says why it waits."""
    three_epochs()
    before = what_stays()
    node.configure("retention", "hold")
    node.start()
    ok(node.wait_until(lambda: state_of_retention().get("waits")), "a node looks soon after its start", node.state())
    same(state_of_retention()["waits"], "the configuration says retention = hold", "status --json says why it waits")
    code, out, _ = run("status", node.dir)
    ok(code == 0 and b"retention waits: the configuration says retention = hold" in out, "status for people too, and all is well", out)
    look(watch=lambda t: 1)
    node.configure("retention", "on")
    node.process.send_signal(signal.SIGHUP)
    ok(node.wait_until(lambda: epochs()[0] == 3, 60), "with a new configuration it looks at once, and erases by itself", node.state(), node.errors())
    ok(node.wait_until(lambda: state_of_retention().get("epochs_erased") == 2), "and says so", node.state())
    code, out, _ = run("status", node.dir)
    ok(b"retention  400 days after" in out, "status says what it goes by", out)
    same_stays(before, "nothing that must stay is lost")
    # An alarm of any role.
    pid = node.role_pid("publish")
    os.kill(pid, signal.SIGSTOP)
    node.configure("retention_days", 2)
    ok(node.wait_until(lambda: not node.state()[1]["ok"], 40), "a role that does not answer is a problem")
    waits("an alarm stands", "an alarm stands: publish: it does not answer")
    os.kill(pid, signal.SIGCONT)
    ok(node.wait_until(lambda: node.state()[1]["ok"], 40), "and then it is none")
    same(epochs()[0], 3, "nothing went meanwhile")
    same(node.stop(), 0, "stop")
    node.configure("retention_days", 400)
    # A full disk, by a reserve that no disk has.
    node.configure("reserve_bytes", 1 << 60)
    node.start()
    ok(node.wait_until(lambda: not node.state()[1]["ok"]), "a full disk is a problem")
    waits("and freezes it", "an alarm stands: commit: the disk is full", "--go-on")
    node.stop()
    node.configure("reserve_bytes", 256 << 20)
    verified("the vault is whole")


def test_passphrase():
    """Keys under a passphrase: the node's own run has what it needs, a person's is asked."""
    three_epochs()
    before = what_stays()
    trust_clock()
    secret = os.path.join(node.base, "passphrase")
    with open(secret, "w", encoding="utf-8") as file:
        file.write("a passphrase of six words\n")
    same(run("key", "passphrase", node.dir, "--new-passphrase-file", secret)[0], 0, "the keys get a passphrase")
    node.unlock = ["--passphrase-file", secret]
    node.start()
    ok(node.wait_until(lambda: state_of_retention().get("epochs_erased") == 2, 60), "the node erases by itself", node.state(), node.errors())
    same_stays(before, "nothing that must stay is lost")
    alone = {"stdin": subprocess.DEVNULL, "start_new_session": True}
    code, out, err = run("key", "drop-epoch", node.dir, "3", **alone)
    ok(code == 77 and "passphrase" in err, "a person is asked, also where a node runs", code, out, err)
    same(run("key", "retain", node.dir, **alone)[0], 77, "for key retain too")
    code, out, err = run("key", "drop-epoch", node.dir, "3", *node.unlock, **alone)
    ok(code == 0 and b"stated again" in out, "and with it is obeyed", code, out, err)
    same(node.stop(), 0, "stop")
    code, out, err = run("key", "retain", node.dir, *node.unlock, **alone)
    ok(code == 0 and b"nothing is older" in out, "also without a node", code, out, err)
    same(run("rebuild", node.dir, *node.unlock)[0], 0, "rebuilt")
    same(run("key", "passphrase", node.dir, "--remove", *node.unlock)[0], 0, "without a passphrase again")
    node.unlock = []
    same_stays(before, "nothing that must stay is lost")
    verified("the vault is whole")


# ---- bodies too large to be held ----

MIB = 1 << 20
PEAK_MAX_KIB = 64 * 1024


# What is executed has at least the peak of who executes it, and this test holds whole bodies: so a small one starts the program.
MEASURE = """import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
said = process.stdout.read()
_, status, usage = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
sys.stdout.buffer.write(b"%d %d %s" % (process.returncode, usage.ru_maxrss, said))"""


def measured(*arguments):
    """Gives (exit code, peak KiB, what it said)."""
    out = subprocess.run([sys.executable, "-c", MEASURE, PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE, check=True).stdout
    code, peak, said = out.split(b" ", 2)
    return int(code), int(peak), said


def is_small(peak, name):
    if "asan" in PROGRAM:
        note(f"{name}: a sanitizer's memory is not looked at")
        return True
    note(f"{name}: {peak / 1024:.1f} MiB at most")
    return ok(peak < PEAK_MAX_KIB, f"{name} stays under 64 MiB", peak)


def large_messages(at):
    """100 MiB each: a document behind a patient, which goes; a scan in a segment of an event, which stays with it; and what
    is no message that could be cut."""
    content = "QUJD" * (25 * MIB)
    return [message("L1", "MDM^T02", at, "L001", "TXA|1|CR|TX||||||||||DOC9",
                    "OBX|1|ED|PDF^Compte rendu^L||^application^pdf^Base64^" + content + "||||||F",
                    "AL1|1|DA|LATEX^Latex^L|SV|Choc", application="DPI", name="DOCUMENT^Lourd"),
            message("L2", "ADT^A01", at + 1, "L002", pv1("VL2"), "ZPH|1|" + content, "DG1|1||I10^Hypertension^I10", name="SCAN^Lourd")]


def large_case(with_node):
    first = NOW - 420 * DAY
    make_old(first - 2 * DAY)
    for one in large_messages(first - 3600):
        put(first, one)
    put(first + 60, message("S1", "ADT^A01", first, "S001", pv1("VS1"), name="SEJOUR^Ouvert"))
    old("rotate", node.dir, first + 3600)
    put(first + 7200, message("N1", "ADT^A08", first + 7000, "N001"))
    before, had = what_stays(), blobs()
    same(len(had), 2, "two bodies of 100 MiB")
    if with_node:
        node.start()
    code, peak, said = measured("key", "drop-epoch", node.dir, "1")
    ok(code == 0 and b"2 documents removed" in said, "their epoch is erased", code, said)
    is_small(peak, "key drop-epoch " + ("beside a node" if with_node else "alone"))
    if with_node:
        for role, data in node.state()[1]["roles"].items():
            with open(f"/proc/{data['pid']}/status", encoding="ascii") as file:
                is_small(next(int(line.split()[1]) for line in file if line.startswith("VmHWM")), role)
    same_stays(before, "what must stay is there")
    if with_node:
        same(node.stop(), 0, "stop")
    same(len(list_of("allergies", "L001")), 1, "so is the allergy behind the document")
    again = [e for e in node.entries() if e.get("states_again") is not None]
    same([e for e in again if "L001" in e["body"] and ("QUJD" in e["body"] or "blob" in e)], [], "the document is gone")
    kept = blobs()
    ok(len(kept) == 1 and not kept & had, "what the event carried is a blob of its own", kept)
    index = next(e["index"] for e in again if "blob" in e)
    code, out, _ = run("cat", node.dir, "--raw", "--from", index, "--to", index + 1)
    ok(out == large_messages(first - 3600)[1], "to the byte", len(out))
    rebuilt()
    same_stays(before, "a new chart says the same")
    verified("the vault is whole")


def test_large_bodies():
    large_case(False)
    large_case(True)


# ---- killed anywhere ----

def killed_after(seconds, *arguments):
    """False: it came to its end before."""
    process = subprocess.Popen([PROGRAM, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.kill()
    return process.wait() != 0


def test_kill():
    first = NOW - 420 * DAY
    rounds = 3 if FAST else 12
    make_old(first - 2 * DAY)
    special(first, first + 7200)
    put(first + 9000, *[message(f"K{i}", "ADT^A01", first, f"K{i}", pv1(f"VK{i}"), BIG if i % 10 == 0 else "NK1|1", ms=i % 1000) for i in range(400)])
    old("rotate", node.dir, first + 10000)
    put(first + 11000, message("K", "ADT^A08", first, "K0"))
    before, had = what_stays(), named_blobs()
    ok(len(had) > 40, "there are blobs")
    saved, no_socket = node.base + "/saved", shutil.ignore_patterns("control")
    shutil.copytree(node.dir, saved, ignore=no_socket)
    start = time.monotonic()
    run("key", "drop-epoch", node.dir, "1")
    took = time.monotonic() - start
    note(f"undisturbed it takes {took:.2f} s")
    kills, doubles, left, good = [0, 0, 0], 0, 0, 0
    for _ in range(rounds):
        shutil.rmtree(node.dir)
        shutil.copytree(saved, node.dir, ignore=no_socket)
        while sum(kills) < 1000 and killed_after(took * random.uniform(0.0, 0.9), "key", "drop-epoch", node.dir, "1"):
            key_is_there = os.path.exists(node.dir + "/vault/keys/1")
            kills[0 if key_is_there else 1 if blobs() & had else 2] += 1
        code, out, err = run("key", "drop-epoch", node.dir, "1")
        whole = json.loads(run("verify", node.dir, "--json")[1]).get("whole")
        rebuilt()
        after = what_stays()
        gone = 1 not in epochs() and not blobs() & had
        again = [e["states_again"] for e in node.entries() if e.get("states_again") is not None]
        doubles, left = doubles + len(again) - len(set(again)), left + len(blobs() - named_blobs())
        if not (code == 0 and whole and gone and after == before):
            ok(False, "killed, begun again, ended", code, out, err, whole, gone, *differences(before, after)[:5])
            break
        good += 1
    same(good, rounds, "whenever it is killed: nothing that must stay is lost, what must go is gone, the vault is whole")
    note(f"killed while it stated again {kills[0]} times, while it erased {kills[1]}, afterwards {kills[2]}")
    note(f"{doubles} entries were stated again more than once, {left} blobs are left whose entry a kill prevented")
    # Killed while it removed blobs, which takes no time: what that leaves, made by hand.
    for mark, order in ((True, ("drop-epoch", node.dir, "1")), (False, ("drop-epoch", node.dir, "1")), (True, ("retain", node.dir))):
        shutil.copytree(saved + "/vault/blob", node.dir + "/vault/blob", dirs_exist_ok=True)
        if mark:
            with open(in_cache("erasing"), "w", encoding="utf-8") as file:
                file.write("1\n")
        if order[0] == "retain":
            trust_clock()
        code, out, err = run("key", *order)
        ok(code == 0 and not blobs() & had and not os.path.exists(in_cache("erasing")), f"key {order[0]} removes the blobs that are left", code, out, err)
    # The node killed as a whole while it does the same.
    make_old(first - 2 * DAY)
    put(first, *[message(f"K{i}", "ADT^A01", first - 60, f"K{i}", pv1(f"VK{i}"), ms=i % 1000) for i in range(800)])
    old("rotate", node.dir, first + 3600)
    put(first + 7200, message("K", "ADT^A08", first, "K0"))
    before = what_stays()
    for _ in range(2 if FAST else 6):
        node.start()
        process = subprocess.Popen([PROGRAM, "key", "drop-epoch", node.dir, "1"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.random() * 0.6)
        node.kill_all()
        process.wait(120)
    node.start()
    code, out, err = run("key", "drop-epoch", node.dir, "1")
    ok(code == 0 and 1 not in epochs(), "the node killed while it erases: the next one ends it", code, out, err)
    node.stop()
    rebuilt()
    same_stays(before, "and nothing is lost")
    verified("the vault is whole")


node = Node()
try:
    if not os.path.exists(OLD_SITE):
        subprocess.run(["make", "-s", "-C", ROOT, "build/release/tests/site/old_site"], check=True)
    for test in (test_drop_by_hand, test_drop_through_node, test_pages, test_by_age, test_freezes_without_a_node, test_downtime_entries,
                 test_lost_entries, test_fork, test_in_the_node, test_passphrase, test_large_bodies, test_kill):
        if os.environ.get("ONLY", test.__name__) == test.__name__:
            test()
finally:
    node.close()
done()
