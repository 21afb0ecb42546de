"""Refuse to remove the release while its RestateDeployments exist. Helm runs this before it removes anything.

It asks the API server with the token of its own pod, which may only list RestateDeployments.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

PAUSE_SECONDS = 2
REQUEST_TIMEOUT_SECONDS = 10

ORDER = """Remove the RestateDeployments first, and wait until they have drained:
  kubectl -n {namespace} delete rsd --selector app.kubernetes.io/instance={release} --wait --timeout=15m
Then run `helm uninstall` again. To remove the release anyway, add --no-hooks: pods that drain then lose their network
policies and Secrets."""

KEEP = """To keep the release, run this: helm now calls it `uninstalling`, and would refuse to upgrade it.
  helm -n {namespace} rollback {release} {revision}"""


class CannotAsk(Exception):
    """The API server did not answer, or refused the question."""


def main() -> None:
    namespace, release = os.environ["NAMESPACE"], os.environ["RELEASE"]
    keep = KEEP.format(namespace=namespace, release=release, revision=os.environ["REVISION"])
    try:
        found = ask_until(float(os.environ["TIMEOUT_SECONDS"]), namespace, release)
    except CannotAsk as problem:
        sys.exit(f"Cannot find out whether RestateDeployments exist: {problem}. Nothing was removed.\n{keep}")
    if found:
        order = ORDER.format(namespace=namespace, release=release)
        sys.exit(f"These RestateDeployments still exist: {', '.join(found)}. Nothing was removed.\n{order}\n{keep}")


def ask_until(timeout_seconds: float, namespace: str, release: str) -> list[str]:
    """Return the names of the RestateDeployments. Retries while the API server does not answer. Raises CannotAsk."""
    give_up = time.monotonic() + timeout_seconds
    while True:
        try:
            return ask(namespace, release)
        except (OSError, ValueError) as problem:
            if time.monotonic() + PAUSE_SECONDS > give_up:
                raise CannotAsk(problem) from problem
            time.sleep(PAUSE_SECONDS)


def ask(namespace: str, release: str) -> list[str]:
    selector = urllib.parse.quote(f"app.kubernetes.io/instance={release}")
    path = f"/apis/restate.dev/v1beta1/namespaces/{namespace}/restatedeployments?labelSelector={selector}"
    account = Path(os.environ["ACCOUNT_DIR"])
    request = urllib.request.Request(
        api_server() + path,
        headers={"Authorization": f"Bearer {(account / 'token').read_text().strip()}"},
    )
    context = ssl.create_default_context(cafile=account / "ca.crt")
    try:
        with urllib.request.urlopen(request, timeout=REQUEST_TIMEOUT_SECONDS, context=context) as answer:
            return [each["metadata"]["name"] for each in json.load(answer)["items"]]
    except urllib.error.HTTPError as answer:
        if answer.code == 404:  # The cluster does not know the kind, so none exists.
            return []
        if answer.code in (401, 403):
            raise CannotAsk(f"the API server answered {answer.code}") from answer
        raise


def api_server() -> str:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


if __name__ == "__main__":
    main()
