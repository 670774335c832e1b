"""server.py PORT FOLDER: an S3 of a test's own, in memory, which checks signatures and rights. It has the bucket `offsets`.

FOLDER/users has lines `NAME KEY SECRET RIGHTS`, the rights being actions such as s3:* with commas between. Where there is
FOLDER/server.pem, a key and its certificate, it speaks TLS. One request is carried out at a time, so that conditions are exact.
"""

import io
import json
import os
import sys
import threading

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"

from urllib.parse import quote, unquote

from botocore.auth import SigV4Auth
from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import run_simple


class InTurn:
    """A body is read to its end before the request's turn comes: one that never arrives holds up nobody."""

    def __init__(self, application):
        self.application = application
        self.turn = threading.Lock()

    def __call__(self, environ, start_response):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if len(body) < length or "HTTP_AUTHORIZATION" not in environ:
            start_response("400 Bad Request", [])
            return [b""]
        environ["wsgi.input"] = io.BytesIO(body)
        with self.turn:
            return list(self.application(environ, start_response))


def encoded_query(self, parts):
    """moto looks at a query's signature when it has decoded it; what is signed is its encoded form, as AWS does it."""
    pairs = (pair.partition("=") for pair in parts.query.split("&") if pair)
    return "&".join(sorted(f"{name}={quote(unquote(value), safe='-_.~')}" for name, _, value in pairs))


SigV4Auth._canonical_query_string_url = encoded_query
port, folder = int(sys.argv[1]), sys.argv[2]
iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
with open(os.path.join(folder, "users")) as users:
    for line in users:
        name, key, secret, rights = line.split()
        iam.create_user("us-east-1", name)
        made = iam.create_access_key(name)
        made.access_key_id, made.secret_access_key = key, secret
        statement = {"Effect": "Allow", "Action": rights.split(","), "Resource": "*"}
        iam.put_user_policy(name, "rights", json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket("offsets", "us-east-1")

both = os.path.join(folder, "server.pem")
run_simple(
    "127.0.0.1",
    port,
    InTurn(DomainDispatcherApplication(create_backend_app)),
    threaded=True,
    ssl_context=(both, both) if os.path.exists(both) else None,
)
