"""The page of docs/connect.md, run by node against the module as it is."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.browser.test_module import MODULE
from tests.documents import blocks

from millstream.domain.clock import wall_clock
from millstream.domain.decode import decode

PAGE = """
const sent = [];
const fakes = {
  addEventListener() {}, setTimeout: () => 1, clearTimeout() {},
  document: { addEventListener() {}, visibilityState: "visible" },
  fetch: async (address, { body }) => {
    const { events } = JSON.parse(body);
    sent.push({ address, events });
    return Response.json({ verdicts: events.map(() => ({ status: "accepted" })) }, { status: 202 });
  },
};
for (const [name, value] of Object.entries(fakes)) {
  Object.defineProperty(globalThis, name, { value });
}
"""
END = """
shop.track("view_item", { items: ["71053"] });
await shop.flush();
console.log(JSON.stringify(sent));
"""


def test_the_documented_script_sends_events_that_are_accepted(node_js: str, tmp_path: Path) -> None:
    [html] = blocks("docs/connect.md", "html")
    script = re.fullmatch(r'<script type="module">\n(.*)</script>\n', html, re.DOTALL)
    assert script
    url = "https://reco.example/static/millstream.js"
    assert script[1].count(url) == 1
    page = tmp_path / "page.mjs"
    page.write_text(PAGE + script[1].replace(url, MODULE.as_uri()) + END)
    ran = subprocess.run(
        [node_js, str(page)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    [told] = json.loads(ran.stdout)
    assert told["address"] == "https://reco.example/v1/events?key=ms_..."
    first, second = (decode(json.dumps(one).encode(), (), wall_clock()) for one in told["events"])
    assert (first.user_id, first.items[0].item_id) == (None, "85123A")
    assert (second.user_id, second.anonymous_id) == ("17850", first.anonymous_id)
