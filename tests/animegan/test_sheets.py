import numpy as np

from animegan.sheets import sheet


def _plain(height, width, colour):
    return np.full((height, width, 3), colour, np.uint8)


def test_pictures_stand_in_rows_of_one_height_and_keep_their_shape():
    red, blue = _plain(20, 40, (255, 0, 0)), _plain(100, 50, (0, 0, 255))
    made = sheet([[red, blue]], ["photo", "ours"], side=40)
    assert made.shape == (24 + 40 + 6, 80 + 6 + 20, 3)
    assert (made[24:64, :80] == (255, 0, 0)).all()
    assert (made[24:64, 86:] == (0, 0, 255)).all()
    assert (made[24:, 80:86] == 255).all()


def test_a_narrow_picture_and_a_missing_one_leave_white():
    wide, narrow = _plain(32, 64, 0), _plain(32, 32, 0)
    made = sheet([[wide, None], [narrow, wide]], ["a", "b"], side=32)
    assert (made[24:56, 70:] == 255).all()
    assert (made[62:94, 32:64] == 255).all()
    assert (made[62:94, 70:] == 0).all()


def test_labels_are_drawn_above_their_own_column_only():
    white = _plain(32, 64, 255)
    one = sheet([[white, white]], ["Painted", ""], side=32)
    assert (one[:24, :64] < 128).any()
    assert (one[:, 64:] == 255).all()
    long = sheet([[white, white]], ["a label of many words that is far too long", ""], side=32)
    assert (long[:, 64:] == 255).all()


def test_no_rows_are_labels_alone():
    assert sheet([], ["photo"], side=64).shape == (24, 64, 3)


def test_labels_of_rows_stand_left_of_their_own_row():
    white = _plain(32, 64, 255)
    made = sheet([[white], [white]], [""], side=32, labels=["", "Painted"], corner="mm")
    width = made.shape[1] - 70
    assert (made[:24, :width] < 128).any()
    assert (made[24:62] == 255).all()
    assert (made[62:, :width] < 128).any()
    assert (made[:, width:] == 255).all()
