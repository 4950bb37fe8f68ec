"""The page: what stands on it, and what happens when something on it changes."""

from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from spatialflow.web.actions import Actions
from spatialflow.web.result_view import EMPTY

_INTRO = "Panoptic segmentation: every pixel gets a class, every countable thing its own segment."
_NETWORK, _CLIPS = "network", "clips"
"""Groups of requests of which one runs at a time."""


_TO_RESULT = """() => {
  const result = document.querySelector("#result");
  if (result && window.innerWidth < 700) result.scrollIntoView({behavior: "smooth", block: "start"});
}"""
"""On a phone the result is below what chose the photo."""


def build_page(actions: Actions, model_name: str, examples: list[Path]) -> Any:
    """The ``gradio.Blocks`` of the page; nothing is started.

    Args:
        actions: what the page does.
        model_name: shown in the head.
        examples: pictures to try, at least none.
    """
    import gradio as gr

    engine = actions.engine
    head = (
        f"<header class='sf-head'><h1>spatialflow</h1><p>{_INTRO}</p>"
        f"<p class='sf-model'>Model <b>{escape(model_name)}</b> "
        f"on {escape(str(engine.predictor.hardware))}</p></header>"
    )
    with gr.Blocks(
        title="spatialflow", analytics_enabled=False, delete_cache=(600, 3600), fill_width=True
    ) as page:
        gr.HTML(head)
        with gr.Tabs():
            with gr.Tab("Photo"):
                _photo_tab(gr, actions, examples)
            with gr.Tab("Clip"):
                _clip_tab(gr, actions)
        gr.HTML(f"<p class='sf-foot'>{escape(str(actions.limits))}</p>")
        _endpoint(gr, actions)
    # closed to direct requests, which would go past the queue
    page.queue(max_size=actions.limits.queue, default_concurrency_limit=1, api_open=False)
    return page


def look_and_feel() -> dict[str, Any]:
    """Arguments of ``launch`` that dress the page: colours, system fonts, and the script of the result."""
    import gradio as gr

    sans = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Default(
        primary_hue="teal",
        neutral_hue="slate",
        font=sans,
        font_mono=["ui-monospace", "Menlo", "Consolas", "monospace"],
    ).set(  # the theme's own are too pale to be read
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_info_text_color="*neutral_600",
        block_label_text_color="*neutral_600",
    )
    here = files("spatialflow.web")
    script = here.joinpath("view.js").read_text("utf-8")
    return {
        "theme": theme,
        "css": here.joinpath("view.css").read_text("utf-8"),
        "head": f"<script>{script}</script>",
    }


def _photo_tab(gr: Any, actions: Actions, examples: list[Path]) -> None:
    ticket = gr.State(None, time_to_live=3600, delete_callback=actions.engine.drop)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            photo = gr.Image(
                label="Photo",
                type="filepath",
                sources=[
                    "upload"
                ],  # pasting is the business of view.js, by keyboard, without asking for a right
                height=230,
                elem_id="photo",
                buttons=[],
            )
            if examples:
                gr.Examples(
                    [[str(path)] for path in examples],
                    photo,
                    label="Examples",
                    examples_per_page=8,
                    api_visibility="private",
                )
            confidence, overlap = _sliders(gr, actions)
        with gr.Column(scale=3, min_width=300):
            result = gr.HTML(EMPTY, elem_id="result", apply_default_css=False)
            with gr.Row(elem_classes="sf-downloads"):
                buttons = [
                    gr.DownloadButton(label, interactive=False, size="sm", elem_id=name, min_width=90)
                    for label, name in (
                        ("Segment ids (PNG)", "get-png"),
                        ("Segments (JSON)", "get-json"),
                        ("Overlay (JPEG)", "get-overlay"),
                    )
                ]
    sliders = [confidence, overlap]
    photo.change(
        actions.look,
        [photo, ticket, *sliders],
        [result, ticket, *buttons],
        preprocess=False,
        concurrency_id=_NETWORK,
        concurrency_limit=1,
        show_progress_on=[result],
        api_visibility="private",
    ).success(
        actions.catch_up,
        [ticket, *sliders],
        [result, *buttons],
        queue=False,
        show_progress="hidden",
        api_visibility="private",
    ).success(
        actions.write, ticket, buttons, queue=False, show_progress="hidden", api_visibility="private"
    ).success(None, js=_TO_RESULT, queue=False)
    for slider in sliders:
        slider.change(
            actions.merge_again,
            [ticket, *sliders],
            [result, *buttons],
            queue=False,
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
        ).success(
            actions.write, ticket, buttons, queue=False, show_progress="hidden", api_visibility="private"
        )


def _sliders(gr: Any, actions: Actions) -> tuple[Any, Any]:
    defaults = actions.engine.defaults
    confidence = gr.Slider(
        actions.engine.lowest_confidence,
        1,
        defaults.confidence,
        step=0.01,
        label="Confidence",
        info="Things below this score are left out.",
        elem_id="confidence",
    )
    overlap = gr.Slider(
        0,
        1,
        defaults.overlap,
        step=0.01,
        label="Overlap",
        info="Things covered by better ones to more than this share are left out.",
        elem_id="overlap",
    )
    return confidence, overlap


def _clip_tab(gr: Any, actions: Actions) -> None:
    shown = gr.Progress()

    def segment(clip: Any, progress: Any = shown) -> tuple[Any, ...]:  # Gradio finds it by this default
        return actions.clip(clip, lambda done, total: progress((done, total), desc="Frames"))

    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            clip = gr.Video(label="Clip", sources=["upload"], height=230, elem_id="clip", buttons=[])
            start = gr.Button("Segment the clip", variant="primary", elem_id="start-clip")
            gr.HTML("<p class='sf-note'>By the model's thresholds; things keep their colour over time.</p>")
        with gr.Column(scale=3, min_width=300):
            result = gr.Video(
                label="Result", interactive=False, autoplay=True, elem_id="clip-result", buttons=["download"]
            )
            frames = gr.DownloadButton(
                "Segments of all frames (ZIP)", interactive=False, size="sm", elem_id="get-clip-frames"
            )
    start.click(
        segment,
        clip,
        [result, frames],
        preprocess=False,
        concurrency_id=_CLIPS,
        concurrency_limit=1,
        show_progress_on=[result],
        api_visibility="private",
    )


def _endpoint(gr: Any, actions: Actions) -> None:
    """``/predict`` for programs: the photo and the two thresholds in, segments and files out."""
    defaults = actions.engine.defaults
    inputs = [
        gr.File(label="photo", visible=False),
        gr.Number(defaults.confidence, label="confidence", visible=False),
        gr.Number(defaults.overlap, label="overlap", visible=False),
    ]
    outputs = [
        gr.JSON(label="segments", visible=False),
        *(gr.File(label=label, visible=False) for label in ("png", "json", "overlay")),
    ]
    gr.Button(visible=False).click(
        actions.predict,
        inputs,
        outputs,
        preprocess=False,
        concurrency_id=_NETWORK,
        concurrency_limit=1,
        api_name="predict",
        api_description="Segment one photo; returns its segments, the PNG of ids, the JSON and the overlay.",
    )
