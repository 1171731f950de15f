"""The application: errors, limits, headers, sessions, a description that is true."""

import json

import pytest
import sqlalchemy as sa

from lockgate.web.answers import known_error
from lockgate.web.guards import MAX_JSON_BYTES, UPLOADS
from lockgate.web.sessions import COOKIE, LASTS_US


def test_errors_have_one_shape(box):
    """Every refusal is JSON with error, code and what, whoever found the mistake."""
    http = box.http(box.owner())
    wrong = {
        404: http.get("/api/nowhere"),
        400: http.post("/api/people", json={"idd": 1}),
        405: http.delete("/api/audit"),
        409: http.post("/api/people", json={"id": box.house.owner.id}),
    }
    for status, answer in wrong.items():
        assert answer.status_code == status
        assert {"error", "code", "what"} <= answer.json().keys()


def test_an_address_that_is_none_is_a_page_for_a_browser(box):
    """A person reads what to do, signed in or not; a program gets JSON as ever, and so does a browser below /api."""
    http = box.http(box.owner())
    for address in ("/nowhere", "/models/a/b/c/d"):
        page = http.get(address, headers={"accept": "text/html,*/*"})
        assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (404, "text/html")
        assert "there is no such page" in page.text
        assert address in page.text
        assert http.get(address).json()["code"] == "not_found"
    assert http.get("/api/nowhere", headers={"accept": "text/html"}).json()["code"] == "not_found"


@pytest.mark.parametrize(
    "body", [b"{", b"\xff\xfe", b"[1, 2]", b"null", b'"text"', b"{}", b'{"id": 5}', b'{"id": null}']
)
def test_bad_bodies_are_400(box, body):
    """Broken JSON, wrong shapes and wrong types are named, never a 500."""
    answer = box.http(box.owner(), **{"content-type": "application/json"}).post("/api/people", content=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["code"] == "invalid_input"


def test_too_large_a_body(box):
    """Announced or not, more than 4 MB of JSON is 413."""
    http = box.http(box.owner())
    body = b"x" * (MAX_JSON_BYTES + 1)
    assert http.post("/api/people", content=body).status_code == 413
    assert http.post("/api/people", content=iter([body[:1000], body])).status_code == 413


def test_every_address_that_takes_tables_takes_large_ones(box):
    """Wherever a form with files is sent the limit is that of files; only a check of one's own is a megabyte at most."""
    forms = {
        path
        for path, acts in box.app.openapi()["paths"].items()
        if "multipart/form-data" in acts.get("post", {}).get("requestBody", {}).get("content", {})
    }
    assert {path.rpartition("/")[2] for path in forms if not path.endswith(UPLOADS)} == {"checks"}
    body = b"x" * (MAX_JSON_BYTES + 1)
    http = box.http(box.owner(), **{"content-type": "multipart/form-data; boundary=x"})
    answer = http.post("/api/models/churn/versions/1/backtest", content=body)
    assert answer.status_code != 413, answer.text


@pytest.mark.parametrize(
    "address", ["/api/runs/{}", "/runs/{}", "/api/searches/{}", "/annotate/{}", "/api/retrainings/{}"]
)
def test_a_number_beyond_the_database_is_a_bad_request(box, address):
    """Whatever is asked for by number: a number that no database keeps is said to be too large, and is no defect."""
    answer = box.http(box.owner()).get(address.format(10**20))
    assert answer.status_code in (400, 404), answer.text
    assert "internal error" not in answer.text


@pytest.mark.postgres
def test_text_that_postgresql_cannot_keep_is_said_as_such(postgres):
    """A NUL in a text is no number that is too large."""
    with pytest.raises(sa.exc.DataError) as caught, postgres.read() as tx:
        tx.execute(sa.select(sa.literal("a\0b")))
    assert known_error(caught.value).what == "a text of this request holds a NUL character"
    with pytest.raises(sa.exc.DataError) as caught, postgres.read() as tx:
        tx.execute(sa.select(sa.cast(sa.literal("99999999999"), sa.Integer), sa.literal("NUL")))
    assert "larger" in known_error(caught.value).what


def test_a_defect_is_an_id(box, caplog):
    """What nobody foresaw is logged with an id; the answer holds the id and nothing of the defect."""

    def broken():
        raise RuntimeError("secret detail")

    box.app.add_api_route("/api/broken", broken)
    with caplog.at_level("ERROR", "lockgate.web"):
        answer = box.http(box.owner()).get("/api/broken")
    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    number = answer.json()["what"].split()[-1]
    assert number in caplog.text


def test_headers_of_every_answer(box):
    """No page may be framed, no type guessed, no foreign script loaded."""
    for answer in (box.http().get("/api/health"), box.http().get("/api/me"), box.http().get("/api/nowhere")):
        assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_openapi_is_whole(box):
    """Every reference resolves, every route says how it refuses, 422 is not promised because it is never given."""
    schema = box.http().get("/api/openapi.json").json()
    known = schema["components"]["schemas"]
    text = json.dumps(schema)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in known, name
    for path, routes in schema["paths"].items():
        for method, route in routes.items():
            assert {"200", "400", "401", "403", "404"} <= route["responses"].keys(), (method, path)
            assert "HTTPValidationError" not in json.dumps(route)


def test_sign_in_with_a_key(box):
    """The cookie is the person for reads; a write needs the token too."""
    http = box.http()
    begun = http.post("/api/session", json={"key": box.owner()})
    cookie = begun.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert http.get("/api/me").json()["person"]["id"] == box.house.owner.id
    assert http.post("/api/people", json={"id": "anna"}).status_code == 403
    token = {"x-csrf-token": begun.json()["token"]}
    assert http.post("/api/people", json={"id": "anna"}, headers=token).status_code == 200
    assert http.delete("/api/session", headers=token).status_code == 200
    assert http.get("/api/me").status_code == 401


def test_sign_in_with_a_wrong_key(box):
    """Nobody: 401, no cookie."""
    answer = box.http().post("/api/session", json={"key": "lg_nobody"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


def test_a_session_ends(box, clock):
    """By time, and when its key is revoked."""
    http = box.http()
    begun = http.post("/api/session", json={"key": box.owner()})
    clock.sleep(LASTS_US / 1_000_000 + 1)
    assert http.get("/api/me").status_code == 401
    begun = http.post("/api/session", json={"key": box.owner()})
    number = http.get("/api/keys").json()[0]["id"]
    token = {"x-csrf-token": begun.json()["token"]}
    assert http.delete(f"/api/keys/{number}", headers=token).status_code == 200
    assert http.get("/api/me").status_code == 401


@pytest.mark.parametrize(
    "change",
    [lambda v: v[:-1] + ("0" if v[-1] != "0" else "1"), lambda v: "x" + v, lambda v: "", lambda v: "."],
)
def test_a_forged_cookie(box, change):
    """Any change of the cookie makes it worthless."""
    http = box.http()
    http.post("/api/session", json={"key": box.owner()})
    value = change(http.cookies[COOKIE])
    http.cookies.clear()
    assert http.get("/api/me", headers={"cookie": f"{COOKIE}={value}"}).status_code == 401
