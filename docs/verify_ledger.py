"""Verify an export of Tipoff's ledger with nothing but Python: python verify_ledger.py EXPORT [HEADS]."""

import gzip
import hashlib
import json
import sys


def main(export, heads=None):
    saved = {}
    for line in open(heads) if heads else ():
        saved.setdefault(json.loads(line)["seq"], set()).add(json.loads(line)["hash"])
    prev, count, at = "0" * 64, 0, ""
    for line in (gzip.open if export.endswith(".gz") else open)(export, "rb"):
        count += 1
        row = json.loads(line)
        content = json.loads(row["content"])
        start = content["body"].get("start", "9")
        checks = {
            "the line is not as exported": json.dumps(row, sort_keys=True, separators=(",", ":")) + "\n"
            == line.decode(),
            "the number is wrong": row["seq"] == content["seq"] == count,
            "it does not continue the row before it": row["prev"] == prev,
            "its hash is wrong": hashlib.sha256((prev + "\n" + row["content"]).encode()).hexdigest() == row["hash"],
            "a published head says otherwise": saved.get(count, {row["hash"]}) == {row["hash"]},
            "its time is out of order": content["at"] >= at,
            "it was sealed after the start": content["kind"] != "seal" or content["at"] < start,
        }
        for reason, passed in checks.items():
            if not passed:
                sys.exit(f"row {count} is broken: {reason}")
        prev, at = row["hash"], content["at"]
    if any(seq > count for seq in saved):
        sys.exit(f"row {count + 1} is missing: a head of row {max(saved)} was published")
    print(f"verified: {count} rows, head {prev}")


main(*sys.argv[1:])
