"""Pictures of clips: animations and strips, to a file or into a notebook, always with words beside the colours.

Clips here are (T, C, H, W), float in [0, 1], one per row. Given frames have a blue edge, predicted ones an orange
one. In a notebook every picture is an HTML figure with a caption and an alternative text, its data inside, so it
plays on a static page, on Colab and offline alike.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from srvp_lite.utils.files import write_bytes

Clips = Sequence[Float[Tensor, "_ _ h w"]]  # lengths may differ, and grey ones stand beside coloured ones

# A palette that colour-blind readers can tell apart (Okabe and Ito), dark enough for lines on white.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#00875F", "#AA4499", "#6B7280"
GIVEN, PREDICTED = BLUE, ORANGE
PAPER, INK = "#FFFFFF", "#1F2937"
GAP = 6  # pixels between pictures
ANIMATED, STILL, VIDEO = (".gif", ".webp"), (".png",), (".mp4",)


@dataclass(frozen=True)
class Picture:
    """An encoded picture that a notebook shows as a figure with a caption."""

    data: bytes
    mime: str
    alt: str
    caption: str = ""
    width: int | None = None
    wide: bool = False
    """Whether it scrolls sideways on a narrow screen instead of shrinking."""

    def _repr_html_(self) -> str:
        source = f"data:{self.mime};base64,{base64.b64encode(self.data).decode()}"
        width = f"width:{self.width}px;" if self.width else ""
        caption = f'<figcaption style="margin-top:.4em">{self.caption}</figcaption>' if self.caption else ""
        kind = "srvp-figure wide" if self.wide else "srvp-figure"
        return (
            f'<figure class="{kind}" style="margin:1em 0"><img src="{source}" alt="{html.escape(self.alt)}" '
            f'style="{width}max-width:100%;height:auto;background:{PAPER};border-radius:6px">{caption}</figure>'
        )

    def __repr__(self) -> str:
        return f"[picture: {self.alt}]"


@dataclass(frozen=True)
class Sweep:
    """Pictures of one thing at several values, one shown at a time, with a slider that needs nothing but a browser."""

    pictures: tuple[Picture, ...]
    values: tuple[str, ...]
    name: str
    caption: str = ""
    start: int = 0

    def _repr_html_(self) -> str:
        # The slider hides all pictures but one. Where scripts are not run, the first one shown stays.
        images = "".join(
            f'<img src="data:{p.mime};base64,{base64.b64encode(p.data).decode()}" alt="{html.escape(p.alt)}" '
            f'data-value="{html.escape(value)}" style="{f"width:{p.width}px;" if p.width else ""}max-width:100%;'
            f'height:auto;background:{PAPER};border-radius:6px"{"" if i == self.start else " hidden"}>'
            for i, (p, value) in enumerate(zip(self.pictures, self.values))
        )
        script = (
            "const f=this.closest('figure');f.querySelectorAll('img').forEach((m,i)=>{m.hidden=i!=this.value;"
            "if(i==this.value)f.querySelector('output').textContent=m.dataset.value})"
        )
        name = html.escape(self.name)
        slider = (
            f'<div><label>{name} <input type="range" min="0" max="{len(self.values) - 1}" value="{self.start}" '
            f'step="1" aria-label="{name}" style="vertical-align:middle;width:min(16em,60%)" oninput="{script}">'
            f"</label> <output>{html.escape(self.values[self.start])}</output></div>"
        )
        caption = f'<figcaption style="margin-top:.4em">{self.caption}</figcaption>' if self.caption else ""
        return f'<figure class="srvp-figure srvp-sweep" style="margin:1em 0">{slider}{images}{caption}</figure>'

    def __repr__(self) -> str:
        return f"[pictures for {self.name} = {', '.join(self.values)}: {self.pictures[self.start].alt}]"


def sweep(pictures: Sequence[Picture], values: Sequence, name: str, caption: str = "", start: int = 0) -> Sweep:
    """A slider over pictures, for a notebook and for a static page alike: `values[i]` is what `pictures[i]` shows.

    `name` is written before the slider; the pictures' own captions are not shown. `start` is the first position.
    """
    if not pictures or len(pictures) != len(values):
        raise ValueError(f"a sweep needs a picture for each value, got {len(pictures)} and {len(values)}")
    if not 0 <= start < len(values):
        raise ValueError(f"start is a position among {len(values)}, counted from 0, got {start}")
    return Sweep(tuple(pictures), tuple(str(v) for v in values), name, caption, start)


def animation(
    clips: Clips,
    alt: str,
    caption: str = "",
    n_cond: int | None = None,
    labels: Sequence[str] = (),
    scale: int = 4,
    fps: float = 5,
    columns: int | None = None,
) -> Picture:
    """The clips side by side, playing in a loop, for a notebook; arguments as in `save`."""
    frames = animation_frames(clips, n_cond, labels, scale, columns)
    return Picture(encode_animation(frames, fps, "gif"), "image/gif", alt, caption, frames[0].width)


def strip(
    clips: Clips,
    alt: str,
    caption: str = "",
    n_cond: int | None = None,
    labels: Sequence[str] = (),
    scale: int = 2,
    every: int = 1,
) -> Picture:
    """The clips as rows of frames, time running to the right, for a notebook; shows one frame in `every`."""
    image = strip_image(clips, n_cond, labels, scale, every)
    return Picture(encode_png(image), "image/png", alt, caption, image.width, wide=True)


def figure(fig, alt: str, caption: str = "") -> Picture:
    """A matplotlib figure, closed and turned into a picture for a notebook."""
    import matplotlib.pyplot as plt

    out = io.BytesIO()
    fig.savefig(out, format="png", dpi=150, bbox_inches="tight", facecolor=PAPER)
    plt.close(fig)
    width = Image.open(out).width
    return Picture(out.getvalue(), "image/png", alt, caption, round(width * 96 / 150))


def save(
    clips: Clips,
    path: str | Path,
    n_cond: int | None = None,
    labels: Sequence[str] = (),
    scale: int = 4,
    fps: float = 5,
) -> Path:
    """Writes the clips to `path`: playing side by side (.gif, .webp, .mp4) or as rows of frames (.png).

    The first `n_cond` frames are edged as given, the rest as predicted; without it there are no edges. `labels` name
    the clips, `scale` is the number of screen pixels per frame pixel, `fps` the frames per second. Raises ValueError
    for another ending, and ImportError for .mp4 where imageio and PyAV are missing.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending in ANIMATED:
        data = encode_animation(animation_frames(clips, n_cond, labels, scale), fps, ending[1:])
    elif ending in STILL:
        data = encode_png(strip_image(clips, n_cond, labels, scale))
    elif ending in VIDEO:
        data = encode_mp4(animation_frames(clips, n_cond, labels, scale), fps)
    else:
        raise ValueError(f"pictures end in {', '.join(ANIMATED + STILL + VIDEO)}; {str(path)!r} does not")
    write_bytes(path, data)
    return path


# Layout --------------------------------------------------------------------------------------------------------------


def animation_frames(
    clips: Clips,
    n_cond: int | None,
    labels: Sequence[str],
    scale: int,
    columns: int | None = None,
) -> list[Image.Image]:
    """A picture for each time, the clips beside each other in rows of `columns`; a clip that has ended stands still."""
    shown = [to_bytes(clip, scale) for clip in clips]
    check_layout(shown, labels)
    font = ImageFont.load_default(13)
    h, w = shown[0].shape[1:3]
    columns = min(columns or len(shown), len(shown))
    label_height = 18 if labels else 0
    cell_w = max([w + 4] + [text_width(label, font) for label in labels])  # the edge is two pixels wide
    cell_h = h + 4 + label_height
    rows = -(-len(shown) // columns)
    header = 20 if n_cond is not None else 0
    size = (columns * (cell_w + GAP) + GAP, header + rows * (cell_h + GAP) + GAP)
    frames = []
    for t in range(max(len(clip) for clip in shown)):
        canvas = Image.new("RGB", size, PAPER)
        pen = ImageDraw.Draw(canvas)
        if n_cond is not None:
            word, colour = ("given", GIVEN) if t < n_cond else ("predicted", PREDICTED)
            pen.text((GAP, 3), f"frame {t + 1}: {word}", fill=colour, font=font)
        for i, clip in enumerate(shown):
            x, y = GAP + (i % columns) * (cell_w + GAP), header + GAP + (i // columns) * (cell_h + GAP)
            if labels:
                pen.text((x, y - 2), labels[i], fill=INK, font=font)
            edge(pen, (x, y + label_height), (w, h), t, n_cond)
            canvas.paste(Image.fromarray(clip[min(t, len(clip) - 1)]), (x + 2, y + label_height + 2))
        frames.append(canvas)
    return frames


def strip_image(clips: Clips, n_cond: int | None, labels: Sequence[str], scale: int, every: int = 1) -> Image.Image:
    """A row for each clip, one frame in `every`, time running to the right."""
    rows = [to_bytes(clip, scale) for clip in clips]
    check_layout(rows, labels)
    font = ImageFont.load_default(13)
    h, w = rows[0].shape[1:3]
    shown = range(0, max(len(row) for row in rows), every)
    margin = max([text_width(label, font) for label in labels], default=0) + GAP if labels else 0
    header = 20 if n_cond is not None else 0
    size = (margin + GAP + len(shown) * (w + 4 + 2), header + len(rows) * (h + 4 + GAP) + GAP)
    canvas = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(canvas)
    first_predicted = next((i for i, t in enumerate(shown) if n_cond is not None and t >= n_cond), None)
    if n_cond:
        pen.text((margin + GAP, 3), "given", fill=GIVEN, font=font)
    if first_predicted is not None:
        pen.text((margin + GAP + first_predicted * (w + 6), 3), "predicted", fill=PREDICTED, font=font)
    for r, clip in enumerate(rows):
        y = header + GAP + r * (h + 4 + GAP)
        if labels:
            pen.text((GAP, y + h // 2 - 6), labels[r], fill=INK, font=font)
        for i, t in enumerate(shown):
            if t >= len(clip):
                continue
            x = margin + GAP + i * (w + 6)
            edge(pen, (x, y), (w, h), t, n_cond)
            canvas.paste(Image.fromarray(clip[t]), (x + 2, y + 2))
    return canvas


def edge(pen: ImageDraw.ImageDraw, corner: tuple[int, int], size: tuple[int, int], t: int, n_cond: int | None) -> None:
    """A two-pixel edge that tells given from predicted frames, grey when there is nothing to tell."""
    colour = "#D1D5DB" if n_cond is None else GIVEN if t < n_cond else PREDICTED
    (x, y), (w, h) = corner, size
    pen.rectangle((x, y, x + w + 3, y + h + 3), fill=colour)


def text_width(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
    """In pixels, with a little space after it."""
    return round(font.getlength(text)) + 2


def to_bytes(clip: Float[Tensor, "t c h w"], scale: int) -> np.ndarray:
    """A clip as bytes (T, scale H, scale W, 3)."""
    if clip.ndim != 4 or clip.shape[1] not in (1, 3):
        raise ValueError(f"a clip to draw is (T, C, H, W) with 1 or 3 channels, got {tuple(clip.shape)}")
    if scale < 1:
        raise ValueError(f"scale must be at least 1, got {scale}")
    frames = (clip.detach().float().clamp(0, 1) * 255).round().byte().cpu().permute(0, 2, 3, 1).numpy()
    frames = np.repeat(frames, 3, axis=3) if frames.shape[3] == 1 else frames
    return frames.repeat(scale, axis=1).repeat(scale, axis=2)


def check_layout(clips: list[np.ndarray], labels: Sequence[str]) -> None:
    """ValueError unless there are clips, with frames of one size and as many labels if any."""
    if not clips:
        raise ValueError("no clips to draw")
    if labels and len(labels) != len(clips):
        raise ValueError(f"{len(clips)} clips need as many labels, got {len(labels)}")
    if len({clip.shape[1:] for clip in clips}) > 1:
        raise ValueError(f"clips drawn together need frames of one size, got {sorted({c.shape[1:] for c in clips})}")


# Files ---------------------------------------------------------------------------------------------------------------


def encode_animation(frames: list[Image.Image], fps: float, kind: str) -> bytes:
    """As "gif" or "webp", playing in a loop."""
    out = io.BytesIO()
    options = dict(save_all=True, duration=round(1000 / fps), loop=0)
    if kind == "gif":
        # One palette for all frames: no flicker, and what stands still costs nothing.
        palette = Image.fromarray(np.concatenate([np.asarray(f) for f in frames])).quantize(
            64, dither=Image.Dither.NONE
        )
        frames = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
        options["disposal"] = 1
    else:
        options |= dict(lossless=True, quality=60)
    frames[0].save(out, kind, append_images=frames[1:], **options)
    return out.getvalue()


def encode_png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "png", optimize=True)
    return out.getvalue()


def encode_mp4(frames: list[Image.Image], fps: float) -> bytes:
    """As H.264. ImportError where imageio and PyAV are missing."""
    try:
        import av  # noqa: F401 - imageio's plugin needs it
        import imageio.v3 as imageio
    except ImportError as error:
        raise ImportError(
            "writing .mp4 needs imageio and PyAV: pip install 'srvp-lite[video]'; .gif and .webp need nothing more"
        ) from error
    even = [np.asarray(f)[: f.height // 2 * 2, : f.width // 2 * 2] for f in frames]  # the codec wants even sizes
    return imageio.imwrite(
        "<bytes>", np.stack(even), extension=".mp4", plugin="pyav", codec="libx264", fps=round(fps),
        out_pixel_format="yuv420p",
    )  # fmt: skip
