"""The signature of requests, without a cloud."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timezone
from typing import Any

import pytest
import requests

from ecs_pulumi.cloud.access_key import RequestSigner

AT = datetime(2019, 11, 15, 3, 36, 55, tzinfo=timezone.utc)
ACCESS, SECRET = "QTWAOYTTINDUT2QVKYUC", "MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
URL = (
    "https://service.region.example.com/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs"
    "?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0"
)


def signed(method: str, url: str, headers: dict[str, str] | None = None, **options: Any) -> requests.PreparedRequest:
    """Return a request that is signed with the key of the published example at the time of the example."""
    extra = options.pop("extra", {})
    signer = RequestSigner(ACCESS, SECRET, extra, now=lambda: AT)
    return requests.Request(method, url, headers=headers or {}, auth=signer, **options).prepare()


def parts(request: requests.PreparedRequest) -> tuple[str, str]:
    """Return the names of the signed headers, and the signature."""
    _, names, signature = str(request.headers["Authorization"]).split(", ")
    return names.removeprefix("SignedHeaders="), signature.removeprefix("Signature=")


def expected(canonical: str) -> str:
    """Return the signature of a canonical request."""
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"SDK-HMAC-SHA256\n20191115T033655Z\n{digest}"
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_published_example() -> None:
    """The signature of the request in Huawei's documentation of the algorithm is the documented one.

    Source: Huawei Cloud, "API Request Signing Guide", the pages on the algorithm, last of which is
    https://support.huaweicloud.com/devg-apisign/api-sign-algorithm-005.html: request, keys, time, hash of the canonical
    request (b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a) and signature. Open Telekom Cloud's API
    reference of its API gateway shows the same form of the header.
    """
    request = signed("GET", URL, {"Content-Type": "application/json"})
    assert request.headers["Host"] == "service.region.example.com"
    assert request.headers["X-Sdk-Date"] == "20191115T033655Z"
    assert request.headers["Authorization"] == (
        "SDK-HMAC-SHA256 Access=QTWAOYTTINDUT2QVKYUC, SignedHeaders=content-type;host;x-sdk-date, "
        "Signature=7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"
    )


NOTHING = hashlib.sha256(b"").hexdigest()
BODY = hashlib.sha256(rb'{"\u00e4": 1}').hexdigest()
DATE = "x-sdk-date:20191115T033655Z"


@pytest.mark.parametrize(
    ("method", "url", "options", "canonical"),
    [
        ("GET", "https://c.test", {}, ["/", "", "host:c.test", DATE, "", "host;x-sdk-date", NOTHING]),
        (
            "DELETE",
            "https://c.test:443/v3/a%20b/",
            {},
            ["/v3/a%20b/", "", "host:c.test", DATE, "", "host;x-sdk-date", NOTHING],
        ),
        (
            "GET",
            "http://c.test:8080/a~b",
            {"params": [("z", ""), ("name", "^web 1$"), ("a", "ä"), ("name", "+")]},
            [
                "/a~b/",
                "a=%C3%A4&name=%2B&name=%5Eweb%201%24&z=",
                "host:c.test:8080",
                DATE,
                "",
                "host;x-sdk-date",
                NOTHING,
            ],
        ),
        (
            "POST",
            "https://c.test/v2/servers",
            {"json": {"ä": 1}, "extra": {"X-Project-Id": "p1", "X-Security-Token": "temporary"}},
            [
                "/v2/servers/",
                "",
                "content-type:application/json",
                "host:c.test",
                "x-project-id:p1",
                DATE,
                "x-security-token:temporary",
                "",
                "content-type;host;x-project-id;x-sdk-date;x-security-token",
                BODY,
            ],
        ),
    ],
    ids=["no path", "escaped path and default port", "query", "body"],
)
def test_canonical_request(method: str, url: str, options: dict[str, Any], canonical: list[str]) -> None:
    """Path, query, headers and body are part of the signature, in their canonical form."""
    names, signature = parts(signed(method, url, **options))
    assert names == canonical[-2]
    assert signature == expected("\n".join([method, *canonical]))


def test_secret_key_is_not_sent() -> None:
    """Neither the headers nor the representation of the signer contain the secret key."""
    assert SECRET not in str(dict(signed("GET", URL).headers))
    assert SECRET not in repr(RequestSigner(ACCESS, SECRET, {}))
