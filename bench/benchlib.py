"""benchlib.py - what benchmarks of the whole program share: a site, a hospital's messages, lines of figures."""

import http.client
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/e2e"))
from veilleuse_site import Node, Sender, adt, run  # noqa: E402,F401

CACHE = os.environ.get("BENCH_CACHE", "build/bench-data")


def header(name):
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    print(f"# {name}: {os.cpu_count()} cores, {model}, commit {os.environ.get('VEILLEUSE_COMMIT', 'unknown')}", flush=True)


def line(name, value, unit, samples=()):
    """name value unit n median p99"""
    ordered = sorted(samples)
    n = len(ordered)
    median = f"{ordered[n // 2]:.3f}" if n else "-"
    p99 = f"{ordered[min(n - 1, n * 99 // 100)]:.3f}" if n else "-"
    print(f"{name} {value:.3f} {unit} {n} {median} {p99}", flush=True)


def hospital(beds, hours, seed=1):
    """A file of messages, kept between runs of the same program."""
    os.makedirs(CACHE, exist_ok=True)
    path = os.path.join(CACHE, f"hospital-{beds}-{hours}-{seed}.hl7")
    if not os.path.exists(path):
        code, _, err = run("simulate", "--beds", beds, "--hours", hours, "--seed", seed, "--out", path + ".part", timeout=3600)
        if code:
            sys.exit("simulate: " + err)
        os.rename(path + ".part", path)
    return path


def memory_bytes(node):
    """Proportional memory of all the node's processes."""
    total = 0
    _, state = node.state()
    pids = [state["pid"]] + [role["pid"] for role in state["roles"].values()]
    parts = {}
    names = ["supervisor"] + list(state["roles"])
    for name, pid in zip(names, pids):
        with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
            for row in file:
                if row.startswith("Pss:"):
                    parts[name] = int(row.split()[1]) * 1024
                    total += parts[name]
    return total, parts


def cpu_s(node, role):
    """Seconds of processor that a role has used: true on a busy machine too."""
    with open(f"/proc/{node.role_pid(role)}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_chart(node, wait_s=3600):
    """Seconds until the chart holds all that is durable."""
    start = time.monotonic()
    while time.monotonic() - start < wait_s:
        _, state = node.state()
        if state and state.get("chart") and state.get("vault"):
            if state["chart"]["applied"] >= state["vault"]["durable"] > 1:
                return time.monotonic() - start
        time.sleep(0.2)
    return float("inf")


class Pages:
    """One kept HTTP connection."""

    def __init__(self, web):
        host, port = web[len("http://"):].rstrip("/").rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def get(self, path):
        self.connection.request("GET", path)
        answer = self.connection.getresponse()
        return answer.status, answer.read()
