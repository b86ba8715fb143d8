"""One line that tells what happened, from every shape of body that the real OpenStack was seen to send."""

import json
from email.utils import formatdate
from typing import Any

import pytest
import requests

from ecs_pulumi.cloud.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    NoMatch,
    NotFound,
    NotUnique,
    OperationFailed,
    QuotaExceeded,
    ServerError,
    TooManyRequests,
    Unauthorized,
    Unsupported,
    WaitTimeout,
    from_response,
)

REQUEST = "req-6c8fb133-bc20-4867-a4de-4d5371989dc8"


def _error(status: int, body: Any, *, sent: Any = None, headers: dict[str, str] | None = None) -> ApiError:
    response = requests.Response()
    response.status_code = status
    response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
    response.headers.update({"X-Openstack-Request-Id": REQUEST, **(headers or {})})
    response.request = requests.Request(
        "POST", "https://nova.test/v2.1/p/servers", json=sent, headers={"X-Auth-Token": "gAAAAA-secret-token"}
    ).prepare()
    return from_response(response)


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (
            404,
            {"itemNotFound": {"code": 404, "message": "Instance 1111 could not be found."}},
            NotFound,
            f"Instance 1111 could not be found (HTTP 404, {REQUEST})",
        ),
        (
            409,
            {
                "conflictingRequest": {
                    "code": 409,
                    "message": "Cannot 'stop' instance 50c5 while it is in vm_state building",
                },
            },
            Conflict,
            f"Cannot 'stop' instance 50c5 while it is in vm_state building (HTTP 409, {REQUEST})",
        ),
        (
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Quota exceeded for cores, ram: Requested 64, 524288, but already used 3, 3072 of "
                    "20, 51200 cores, ram",
                },
            },
            QuotaExceeded,
            (
                "Quota exceeded for cores: requested 64, used 3 of 20; ram: requested 524288, used 3072 of 51200 "
                f"(HTTP 403, {REQUEST}). Free some or ask for more."
            ),
        ),
        (
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Quota exceeded for cores: Requested 4, but already used 18 of 20 cores",
                },
            },
            QuotaExceeded,
            f"Quota exceeded for cores: requested 4, used 18 of 20 (HTTP 403, {REQUEST}). Free some or ask for more.",
        ),
        (
            413,
            {
                "overLimit": {
                    "code": 413,
                    "message": "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed "
                    "gigabytes quota. Requested 5000G, quota is 1000G and 2G has been consumed.",
                    "retryAfter": "0",
                },
            },
            QuotaExceeded,
            (
                f"Quota exceeded for gigabytes: requested 5000, used 2 of 1000 (HTTP 413, {REQUEST}). "
                "Free some or ask for more."
            ),
        ),
        (
            413,
            {
                "overLimit": {
                    "code": 413,
                    "message": "VolumeLimitExceeded: Maximum number of volumes allowed (10) exceeded for quota "
                    "'volumes'.",
                },
            },
            QuotaExceeded,
            (
                f"Maximum number of volumes allowed (10) exceeded for quota 'volumes' (HTTP 413, {REQUEST}). "
                "Free some or ask for more."
            ),
        ),
        (
            409,
            {"conflictingRequest": {"code": 409, "message": "Key pair 'quota-watch' already exists."}},
            Conflict,
            f"Key pair 'quota-watch' already exists (HTTP 409, {REQUEST})",
        ),
        (
            409,
            {
                "NeutronError": {
                    "type": "OverQuota",
                    "message": "Quota exceeded for resources: ['port'].",
                    "detail": "",
                },
            },
            QuotaExceeded,
            f"Quota exceeded for port (HTTP 409, {REQUEST}). Free some or ask for more.",
        ),
        (
            409,
            {
                "NeutronError": {
                    "type": "IpAddressAlreadyAllocated",
                    "message": "IP address 10.20.0.50 already allocated in subnet 5ade",
                    "detail": "",
                },
            },
            Conflict,
            f"IP address 10.20.0.50 already allocated in subnet 5ade (HTTP 409, {REQUEST})",
        ),
        (
            403,
            {
                "forbidden": {
                    "code": 403,
                    "message": "Policy doesn't allow os_compute_api:os-aggregates:create to be performed.",
                },
            },
            Forbidden,
            (
                f"Policy doesn't allow os_compute_api:os-aggregates:create to be performed (HTTP 403, {REQUEST}). "
                "The account's roles in this project do not allow it."
            ),
        ),
        (
            401,
            {
                "error": {
                    "code": 401,
                    "title": "Unauthorized",
                    "message": "The request you have made requires authentication.",
                },
            },
            Unauthorized,
            (f"The request you have made requires authentication (HTTP 401, {REQUEST})"),
        ),
        (
            404,
            {
                "message": "The resource could not be found.<br /><br />\n\n\n",
                "code": "404 Not Found",
                "title": "Not Found",
            },
            NotFound,
            f"The resource could not be found (HTTP 404, {REQUEST})",
        ),
        (
            413,
            {
                "message": "The body of your request was too large for this server.<br /><br />\nRequest is too "
                "large.\n\n",
                "code": "413 Request Entity Too Large",
                "title": "Request Entity Too Large",
            },
            ApiError,
            f"The body of your request was too large for this server. Request is too large (HTTP 413, {REQUEST})",
        ),
        (
            400,
            {
                "badRequest": {
                    "code": 400,
                    "message": "Invalid input for field/attribute size. Value: 0. 0 is less than the minimum of 1",
                },
            },
            BadRequest,
            f"Invalid input for size '0': 0 is less than the minimum of 1 (HTTP 400, {REQUEST})",
        ),
        (
            400,
            {
                "badRequest": {
                    "code": 400,
                    "message": "Invalid input for field/attribute server. Value: {'name': 'x', 'flavorRef': "
                    "'101'}. Additional properties are not allowed ('colour' was unexpected)",
                },
            },
            BadRequest,
            (
                "Invalid input for server: Additional properties are not allowed ('colour' was unexpected) "
                f"(HTTP 400, {REQUEST})"
            ),
        ),
        (
            400,
            {
                "badRequest": {
                    "code": 400,
                    "message": "Invalid input for field/attribute metadata. Value: {'c/d': '3'}. 'c/d' does not "
                    "match any of the regexes: '^[a-zA-Z0-9-_:. ]{1,255}$'",
                },
            },
            BadRequest,
            (
                "Invalid input for metadata: 'c/d' does not match any of the regexes: "
                f"'^[a-zA-Z0-9-_:. ]{{1,255}}$' (HTTP 400, {REQUEST})"
            ),
        ),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "'identity' is a required property\n\nFailed validating 'required' in schema:\n  {}",
                    "title": "Bad Request",
                },
            },
            BadRequest,
            f"'identity' is a required property (HTTP 400, {REQUEST})",
        ),
        (
            500,
            {
                "computeFault": {
                    "code": 500,
                    "message": "Unexpected API Error. Please report this.\n<class 'oslo_messaging.RemoteError'>",
                },
            },
            ServerError,
            f"Unexpected API Error. Please report this. <class 'oslo_messaging.RemoteError'> (HTTP 500, {REQUEST})",
        ),
        (
            502,
            "<html>\n<head><title>502 Bad Gateway</title></head><body>…</body></html>",
            ServerError,
            f"502 Bad Gateway (HTTP 502, {REQUEST})",
        ),
        (504, "<html><body>no title</body></html>", ServerError, f"Gateway Timeout (HTTP 504, {REQUEST})"),
        (503, "", ServerError, f"Service Unavailable (HTTP 503, {REQUEST})"),
        (500, '{"computeFault": {"mess', ServerError, f"Internal Server Error (HTTP 500, {REQUEST})"),
        (500, [], ServerError, f"Internal Server Error (HTTP 500, {REQUEST})"),
        (503, "upstream connect error", ServerError, f"upstream connect error (HTTP 503, {REQUEST})"),
        (429, {"error": "slow down"}, TooManyRequests, f"slow down (HTTP 429, {REQUEST})"),
        (400, {"NeutronError": "a plain text"}, BadRequest, f"a plain text (HTTP 400, {REQUEST})"),
        (409, {"badRequest": {"message": None}}, Conflict, f"Conflict (HTTP 409, {REQUEST})"),
        (499, {}, ApiError, f"Unknown status (HTTP 499, {REQUEST})"),
    ],
)
def test_every_body_becomes_one_line(status: int, body: Any, kind: type[ApiError], text: str) -> None:
    """The API's words, the status, the request id and, where one helps, a hint."""
    error = _error(status, body)
    assert type(error) is kind
    assert str(error) == text


def test_an_error_carries_what_a_caller_decides_by() -> None:
    """Status, the API's name for the error, method, path and Retry-After are attributes."""
    error = _error(404, {"itemNotFound": {"message": "…"}}, headers={"Retry-After": "5"})
    assert (error.status, error.body_type, error.method, error.path) == (
        404,
        "itemNotFound",
        "POST",
        "/v2.1/p/servers",
    )
    assert error.request_id == REQUEST
    assert error.retry_after == 5


def test_retry_after_may_be_a_date() -> None:
    """A date is as good as seconds; nonsense is as good as none."""
    soon = _error(503, "", headers={"Retry-After": formatdate(usegmt=True)}).retry_after
    assert soon is not None
    assert soon < 5
    assert _error(503, "", headers={"Retry-After": "soon"}).retry_after is None


@pytest.mark.parametrize(
    "sent",
    [
        {"server": {"adminPass": "s3cr3t-Pass"}},
        {"server": {"user_data": "s3cr3t-Pass"}},
        {"server": {"personality": [{"path": "/etc/x", "contents": "s3cr3t-Pass"}]}},
        {"auth": {"identity": {"password": {"user": {"password": "s3cr3t-Pass"}}}}},
        {"auth": {"identity": {"token": {"id": "s3cr3t-Pass"}}}},
        {"changePassword": {"adminPass": "s3cr3t-Pass"}},
    ],
)
@pytest.mark.parametrize(
    "said",
    [
        "Invalid input for field/attribute x. Value: s3cr3t-Pass. 's3cr3t-Pass' is not a 'base64'",
        "What is s3cr3t-Pass?",
        "Token gAAAAA-secret-token is not valid; s3cr3t-Pass",
    ],
)
def test_no_secret_of_the_request_comes_back_in_a_message(sent: Any, said: str) -> None:
    """APIs repeat what they were sent; passwords, user data, files and tokens are struck out."""
    text = str(_error(400, {"badRequest": {"message": said}}, sent=sent))
    assert "s3cr3t-Pass" not in text
    assert "secret-token" not in text
    assert "***" in text


def test_a_short_secret_does_not_riddle_the_message() -> None:
    """A password of one letter is struck out where it is quoted, not in every word."""
    error = _error(400, {"badRequest": {"message": "bad value 'a' for adminPass"}}, sent={"server": {"adminPass": "a"}})
    assert error.message == "bad value *** for adminPass"


def test_long_messages_are_cut() -> None:
    """A terminal bears only so much."""
    assert len(_error(500, {"computeFault": {"message": "x" * 5000}}).message) == 600


def test_the_other_errors_speak_in_one_line_too() -> None:
    """What was waited for and seen, what failed and why, what is needed and offered, what there is instead."""
    assert str(WaitTimeout("Server web to be ACTIVE", "BUILD: spawning", 1800.4, "req-1")) == (
        "Gave up waiting for Server web to be ACTIVE after 1800 s; last seen: BUILD: spawning (req-1). "
        "A longer time goes into custom_timeouts."
    )
    assert str(OperationFailed("Server web", "No valid\nhost")) == "Server web: No valid host"
    assert str(OperationFailed("Server web", None)) == "Server web: the cloud recorded no reason"
    assert str(Unsupported("tags", "2.26", "v2")) == "tags needs 2.26; this cloud offers v2"
    assert str(NotUnique(["a", "b"])) == "2 match, one is wanted: a, b"
    assert str(NoMatch([str(number) for number in range(12)])) == (
        "None matches; there is: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
    )
    assert str(NoMatch([])) == "None matches; there is none"


@pytest.mark.parametrize(
    ("message", "hint"),
    [
        ("Only volume-backed servers are allowed for flavors with zero disk.", "The flavor has no disk: boot from"),
        ("It is not allowed to create an interface on external network 5ade", "Connect the server to a network of the"),
        (
            "The maximum allowed number of disk devices (26) to attach to a single instance has been exceeded.",
            "Detach a volume that the server does not need",
        ),
        ("Personality file limit exceeded", "Shorten `personality`"),
        ("Personality file content exceeds maximum 10240", "Shorten `personality`"),
        ("Maximum number of metadata items exceeds 128", "Shorten `metadata`"),
        ("Policy doesn't allow os_compute_api:servers:create to be performed.", "The account's roles in this project"),
    ],
)
def test_a_403_of_novas_that_no_role_helps_says_what_does(message: str, hint: str) -> None:
    """Nova answers so where the request is impossible, too; only a policy is a matter of roles."""
    error = _error(403, {"forbidden": {"code": 403, "message": message}})
    assert isinstance(error, Forbidden)
    assert str(error).startswith(f"{message.rstrip('.')} (HTTP 403, {REQUEST}). {hint}")


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses_is_no_missing_role(status: int) -> None:
    """A page without a request id is a proxy's, and names the variables that lead there."""
    page = "<html><head><title>ERROR: Access Denied</title></head></html>"
    error = _error(status, page, headers={"X-Openstack-Request-Id": "", "Content-Type": "text/html"})
    assert str(error).startswith(f"ERROR: Access Denied (HTTP {status}). The response came from a proxy, not from the")
    assert "NO_PROXY" in error.hint
