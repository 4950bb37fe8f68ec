"""The kinds of fault that a check of a data set can find: how grave each is, and what helps."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How grave a fault is, gravest first."""

    ERROR = "error"
    """Training would stop, learn something false, or be validated by false numbers."""
    WARNING = "warning"
    """Probably not meant, but training goes on."""
    NOTE = "note"
    """Worth to know."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault."""

    key: str
    """Its name in JSON reports."""
    severity: Severity
    title: str
    """What is wrong, as the table says it."""
    remedy: str
    """What to do about it."""


def _error(key: str, title: str, remedy: str) -> Kind:
    return Kind(key, Severity.ERROR, title, remedy)


def _warning(key: str, title: str, remedy: str) -> Kind:
    return Kind(key, Severity.WARNING, title, remedy)


def _note(key: str, title: str, remedy: str) -> Kind:
    return Kind(key, Severity.NOTE, title, remedy)


# ---- categories
CATEGORY_NONE = _error("category-none", "no categories", "list at least one thing or stuff class")
CATEGORY_MALFORMED = _error("category-malformed", "category that cannot be read", "correct the entry")
CATEGORY_ID_TWICE = _error(
    "category-id-twice", "category id given twice", "give each category an id of its own"
)
CATEGORY_NAME_TWICE = _error(
    "category-name-twice", "category name given twice", "rename one, or join them with `data merge --map`"
)
CATEGORY_NAME_ODD = _warning(
    "category-name-odd", "category name empty, no text, or nearly that of another", "rename it"
)
CATEGORY_UNKNOWN = _error(
    "category-unknown", "segment of an unknown category", "correct category_id, or add the category"
)
CATEGORY_UNUSED = _note("category-unused", "category without any segment", "nothing, if that is meant")
TOO_MANY_STUFF = _error("too-many-stuff", "more stuff classes than the model takes", "join some of them")

# ---- entries of images and annotations
NO_IMAGES = _error("no-images", "no images", "add at least one photo")
IMAGE_MALFORMED = _error("image-malformed", "entry of images that cannot be read", "correct the entry")
IMAGE_ID_TWICE = _error("image-id-twice", "image id given twice", "give each image an id of its own")
PHOTO_LISTED_TWICE = _error("photo-listed-twice", "photo listed by two images", "keep one entry a photo")
IMAGE_UNANNOTATED = _warning(
    "image-unannotated", "image without annotation", "annotate it; training leaves it out"
)
ANNOTATION_MALFORMED = _error(
    "annotation-malformed", "entry of annotations that cannot be read", "correct the entry"
)
ANNOTATION_TWICE = _error("annotation-twice", "second annotation of an image", "keep one entry an image")
ANNOTATION_ORPHAN = _error(
    "annotation-orphan", "annotation without its image", "add the image, or drop the annotation"
)
IMAGE_ID_TYPE = _error(
    "image-id-type", "image id once a number, once a text", "write image_id as images has it"
)
PNG_LISTED_TWICE = _error("png-listed-twice", "PNG listed by two annotations", "give each image its own PNG")
PATH_OUTSIDE = _error(
    "path-outside", "path that leaves the data folder", "give a path inside of the folder, without .."
)
PATH_BACKSLASH = _error("path-backslash", "path with backslashes", "write it with /")
NOTHING_TO_TRAIN = _error("nothing-to-train", "no image that training could use", "add annotated photos")
ONLY_CROWDS = _error(
    "only-crowds", "all things are crowds, which are not learnt", "label things one by one (iscrowd 0)"
)

# ---- photos
PHOTO_FOLDER = _error("photo-folder", "folder of photos not found", "name it with --images")
PHOTO_MISSING = _error("photo-missing", "photo missing", "add the file, or drop the image")
PHOTO_MISNAMED = _error("photo-misnamed", "photo has another name or place", "correct file_name")
PHOTO_UNREADABLE = _error("photo-unreadable", "photo unreadable or truncated", "fetch or write it again")
SIZE_MISMATCH = _error("size-mismatch", "sizes of JSON, photo and PNG differ", "make all three the same")
PHOTO_ROTATED = _warning(
    "photo-rotated", "photo turned by its EXIF tag", "look whether the annotation is turned as the photo is"
)
PHOTO_BLANK = _warning("photo-blank", "photo of a single colour", "leave it out, if that is not meant")
PHOTO_SMALL = _warning(
    "photo-small", "photo with a side below 32 pixels", "scale it up; training leaves it out"
)
PHOTO_COPY = _warning("photo-copy", "photo with the content of another", "keep one of them")
PHOTO_SUFFIX = _warning("photo-suffix", "photo of another format than its suffix says", "rename it")
PHOTO_MODE = _note("photo-mode", "photo that is not 8-bit RGB", "nothing: it is converted while reading")
PHOTO_UNLISTED = _note("photo-unlisted", "photo that the JSON does not list", "nothing, if that is meant")
NO_THING = _note(
    "no-thing", "image that shows no thing", "data.keep_images_without_things=true trains on it too"
)

# ---- PNGs
PNG_FOLDER = _error("png-folder", "folder of PNGs not found", "name it with --segments")
PNG_MISSING = _error("png-missing", "PNG missing", "add the file, or drop the annotation")
PNG_MISNAMED = _error("png-misnamed", "PNG has another name or place", "correct file_name")
PNG_UNREADABLE = _error("png-unreadable", "PNG unreadable or truncated", "write or fetch it again")
PNG_NOT_RGB = _error(
    "png-not-rgb", "PNG that holds no segment ids", "write 8-bit RGB with id = R + 256 G + 65536 B"
)
PNG_SWAPPED = _error(
    "png-swapped", "PNG with red and blue swapped", "write it as RGB; OpenCV takes colours as BGR"
)
PNG_PALETTE = _note("png-palette", "PNG with a palette", "nothing: its colours are the right ids")
PNG_UNLISTED = _note("png-unlisted", "PNG that the JSON does not list", "nothing, if that is meant")
ALL_VOID = _warning("all-void", "image without any labelled pixel", "annotate it, or leave it out")

# ---- segments
SEGMENT_MALFORMED = _error("segment-malformed", "segment that cannot be read", "correct the entry")
SEGMENT_ID_RANGE = _error(
    "segment-id-range", "segment id that no pixel can have", "ids are 1..16777215; 0 is void"
)
SEGMENT_ID_TWICE = _error("segment-id-twice", "segment id given twice in an image", "give each its own id")
SEGMENT_EMPTY = _error("segment-empty", "segment without any pixel", "drop it, or paint it")
SEGMENT_UNLISTED = _error(
    "segment-unlisted", "pixels of a segment that is not listed", "list it, or paint it 0 (void)"
)
AREA_WRONG = _error("area-wrong", "area that does not match the pixels", "--fix recomputes it")
BOX_WRONG = _error("box-wrong", "box that does not match the pixels", "--fix recomputes it")
BOX_MISSING = _note("box-missing", "segment without a box", "nothing: it is computed while reading")
SEGMENT_TINY = _warning("segment-tiny", "segment of less than 16 pixels", "look for slips of the brush")
STUFF_SPLIT = _warning("stuff-split", "stuff class in several segments of an image", "join them to one")
STUFF_CROWD = _warning("stuff-crowd", "crowd segment of a stuff class", "crowds are for things")
CROWD = _note("crowd", "crowd segment", "nothing: it is neither learnt as a thing nor counted in PQ")

# ---- training and validation
OVERLAP_FILE = _error("overlap-file", "photo in training and validation", "keep it in one of them")
OVERLAP_CONTENT = _error(
    "overlap-content", "validation photo with the content of a training photo", "keep it in one of them"
)
OVERLAP_SIMILAR = _warning(
    "overlap-similar", "validation photo that looks like a training photo", "look at both"
)
VAL_CATEGORY_DIFFERS = _error(
    "val-category-differs", "category that validation has otherwise", "give both files the same categories"
)
VAL_CATEGORY_NEW = _warning(
    "val-category-new", "category of validation that training never shows", "add images of it to training"
)

KINDS: tuple[Kind, ...] = tuple(value for value in tuple(vars().values()) if isinstance(value, Kind))
"""All of them, in the order of a report."""
