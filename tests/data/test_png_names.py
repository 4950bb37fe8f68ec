from spatialflow.data.png_names import png_names


def test_each_photo_has_a_name_of_its_own() -> None:
    photos = ["a.jpg", "b/a.jpg", "a.png", "c.v1.jpeg", "c.v2.jpeg", "d", "a.2.jpg", "a.webp"]
    expected = ["a.png", "b/a.png", "a.2.png", "c.v1.png", "c.v2.png", "d.png", "a.2.2.png", "a.3.png"]
    assert png_names(photos) == expected
