"""docs/queues.md is true: its file and commands work in their order, as somebody would type them."""

from __future__ import annotations

import json

import pytest

from drave.testing import Broker
from tests.pages import Folder, Page

PAGE = Page("queues.md")
CREATE, WORK, LETTERS, REMIND, RETRIES = PAGE.commands


@pytest.mark.slow
def test_the_worker_does_what_the_page_says_and_what_it_rejects_is_a_dead_letter(tmp_path):
    with Broker() as broker:
        folder = Folder(PAGE, tmp_path, broker.bootstrap)
        folder.run(CREATE)
        said = folder.run(WORK)
        assert sorted(line for line in said.splitlines() if "delivery" in line) == [
            "bill order 7: ACCEPT, delivery 2",
            "bill order 7: RELEASE, delivery 1",
            "call nobody: REJECT, delivery 1",
            "send mail: ACCEPT, delivery 1",
        ]
        letter = json.loads(folder.run(LETTERS))
        assert letter["value"] == "call nobody"
        assert {"__dlq.errors.group", "__dlq.errors.message"} <= {header[0] for header in letter["headers"]}


@pytest.mark.slow
def test_a_delayed_record_comes_and_the_topics_for_retries_are_made(tmp_path):
    with Broker() as broker:
        folder = Folder(PAGE, tmp_path, broker.bootstrap)
        assert folder.run(REMIND).splitlines()[-1] == "two seconds ago"
        folder.run(RETRIES)
