"""A SPOT in its own process: claims one task, works, completes it and prints the answer."""

import json
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def post(url, body):
    try:
        with urlopen(Request(url, json.dumps(body).encode()), timeout=30) as answer:  # noqa: S310
            return answer.status, json.load(answer)
    except HTTPError as refused:
        return refused.code, json.load(refused)


def main(url, spot_id, seconds):
    _, claimed = post(f"{url}/internal/v1/tasks/claim", {"spotId": spot_id})
    [task] = claimed["tasks"]
    print("claimed", task["id"], flush=True)  # noqa: T201
    time.sleep(float(seconds))
    report = {"spotId": spot_id, "fopt": 1.5}
    status, body = post(f"{url}/internal/v1/tasks/{task['id']}/complete", report)
    print("answer", status, json.dumps(body), flush=True)  # noqa: T201


main(*sys.argv[1:])
