"""Pages: one file, nothing fetched, no script, harmless whatever the data holds."""

from __future__ import annotations

import pytest
from readers import page_checks, pairs
from tiny import byte_tokenizer, perturb, tiny

from minirm import ImplicitRM, PreferencePair
from minirm.commands import inspect_data
from minirm.pages import data_page, model_page, pictures
from minirm.pages.sheet import safe
from minirm.reading.report import read_model

HOSTILE = '</title><script>alert(1)</script><img src=x onerror="alert(2)"> & \x00 \ud800 "\' {x}'
READABLE = HOSTILE.replace("\ud800", "")
"""The same without half a character, which no data may hold."""
PUT = ("<script", "<img", 'onerror="')
"""What must not come through as it was put."""


def implicit():
    tokenizer = byte_tokenizer(bos="<s>", pad="<pad>")
    base = tiny("llama", vocab=len(tokenizer), max_position_embeddings=512)
    return perturb(ImplicitRM(base, tokenizer))


@pytest.fixture(scope="module")
def model_html():
    some = [*pairs(8), PreferencePair(READABLE, "No. <b>x</b>", "Yes. <i>y")]
    report = read_model(implicit(), some, range(9))
    names = {"model": HOSTILE, "data": [HOSTILE], "format": "strings", "items": 9}
    names |= {"overlong": 0, "left_out": 0, "bad": []}
    return model_page.page_of(names | {"taken": {"items": 9, "pairs": 9}} | report)


@pytest.fixture(scope="module")
def data_html(tmp_path_factory):
    import argparse
    import json

    file = tmp_path_factory.mktemp("data") / "<script>&.jsonl"
    rows = [{"prompt": f"{p.prompt}{READABLE}", "chosen": f"<script> {p.chosen}",
             "rejected": p.rejected} for p in pairs(12)]  # fmt: skip
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"what": [str(file)], "train": [str(file.with_name("other.jsonl"))], "model": None}
    file.with_name("other.jsonl").write_text(json.dumps(rows[0]))
    options |= {
        "split": "train",
        "train_split": None,
        "data_config": None,
        "columns": {},
        "format": None,
        "limit": None,
    }
    return data_page.page_of(inspect_data.look_at_data(argparse.Namespace(**options)))


@pytest.fixture(params=["model_html", "data_html"])
def page(request):
    return request.getfixturevalue(request.param)


def test_a_page_is_one_file_that_fetches_nothing(page):
    found = page_checks(page)
    for tag, attributes in found.tags:
        assert tag not in ("script", "link", "iframe", "img", "object", "embed", "base", "form"), (
            tag
        )
        assert not {"src", "href", "srcset", "action", "poster"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page


def test_text_of_the_data_stays_text(page):
    found = page_checks(page)
    known = "html head meta title style body h1 h2 h3 p ul li figure figcaption table tr th td span"
    known += " i b div footer svg line circle text rect polyline"
    assert {tag for tag, _ in found.tags} <= set(known.split())
    assert "<script>" in found.text  # it is there, as text
    assert "\x00" not in page
    page.encode()


def test_every_picture_says_what_it_shows(page):
    found = page_checks(page)
    images = [attributes for tag, attributes in found.tags if tag == "svg"]
    assert len(images) >= 4
    for attributes in images:
        assert attributes["role"] == "img"
        assert len(attributes["aria-label"].split()) >= 8
    headings = [tag for tag, _ in found.tags if tag == "h1"]
    assert headings == ["h1"]


def test_what_no_page_may_hold_is_replaced():
    assert safe(HOSTILE).count("\ufffd") == 2
    assert not [part for part in PUT if part in safe(HOSTILE)]


def test_a_dot_stands_where_its_number_is():
    drawn = pictures.dots([pictures.Dot("half", 0.5, (0.25, 9.0))], "A dot in the middle.")
    middle, quarter = pictures.WIDTH / 2, pictures.EDGE + (pictures.WIDTH - 2 * pictures.EDGE) / 4
    assert f'cx="{middle:.1f}"' in drawn
    assert f'x1="{quarter:.1f}"' in drawn
    assert f'x2="{pictures.WIDTH - pictures.EDGE:.1f}"' in drawn  # cut at the end of the scale


def test_columns_after_z_have_two_letters():
    drawn = pictures.grid([f"wording {i}" for i in range(53)], [[0.5] * 53] * 53)
    for letters in ("A", "Z", "AA", "AZ", "BA"):
        assert f"<th>{letters}</th>" in drawn
        assert f"<b>{letters}</b>" in drawn
    assert "<th>[</th>" not in drawn


def test_marks_say_a_sign_without_colour():
    drawn = pictures.marked([("up ", 1.0), ("down ", -2.0), ("none", None)], scale=2.0)
    assert '<span style="background:rgba(0,114,178,0.28)" title="+1">up </span>' in drawn
    assert '<span class="less" style="background:rgba(213,94,0,0.55)" title="-2">down' in drawn
    assert "<span>none</span>" in drawn


@pytest.mark.slow
@pytest.mark.needs("playwright", "chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_fits_a_phone_and_works_offline(page, scheme, browser, tmp_path):
    (tmp_path / "page.html").write_text(page)
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, color_scheme=scheme, offline=True
    )
    view, asked, errors = context.new_page(), [], []
    view.on("request", lambda request: asked.append(request.url))
    view.on("pageerror", lambda error: errors.append(error))
    view.goto((tmp_path / "page.html").as_uri())
    assert view.evaluate("document.documentElement.scrollWidth") <= 360
    ground = view.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    assert errors == []
    assert asked == [(tmp_path / "page.html").as_uri()]
    context.close()
