"""Performance and how labels come, through the JSON API and as a page: for whoever may read the log."""

import pytest

from lockgate.errors import Forbidden, NotFound
from lockgate.governance.permissions import RoleName


@pytest.fixture
def people(box):
    """Keys of the owner, a viewer of churn and a stranger; churn is a model that nobody looked at yet."""
    owner = box.owner()
    box.connect(owner).put("/models/churn/settings", {})
    return owner, box.person("viewer", (RoleName.BUILDER, "churn")), box.person("stranger")


@pytest.mark.parametrize("path", ["/models/churn/performance", "/models/churn/labels"])
def test_whoever_reads_the_log_may_look(box, people, path):
    """Owner and colleague see that there is nothing yet; the stranger is refused; another model is not there."""
    for key in people[:2]:
        assert box.connect(key).get(path)["model"] == "churn"
    with pytest.raises(Forbidden, match="stranger"):
        box.connect(people[2]).get(path)
    with pytest.raises(NotFound):
        box.connect(people[0]).get(path.replace("churn", "other"))


def test_the_page_says_what_to_do_first(box, people):
    """Without a window the page names the command; whoever may not read the log gets no page."""
    page = box.http(people[0]).get("/models/churn/performance")
    assert page.status_code == 200
    assert "lockgate labels import churn FILE --label COLUMN" in page.text
    assert box.http(people[2]).get("/models/churn/performance").status_code == 403
