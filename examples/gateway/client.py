"""A program that calls X through the gateway. It holds no token."""

import json
import os
import urllib.error
import urllib.request

call = urllib.request.Request(
    os.environ["GATEWAY"] + "/2/users/me",
    headers={"Authorization": "Bearer " + os.environ["CAPABILITY"]},
)
try:
    with urllib.request.urlopen(call) as answer:
        print(json.load(answer)["data"]["username"])
except urllib.error.HTTPError as refused:
    raise SystemExit(f"{refused.code}: {refused.read().decode()}")
