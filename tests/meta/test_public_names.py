"""What users import stays where it is."""

import veernet


def test_the_public_names():
    assert sorted(veernet.__all__) == [
        "Archive",
        "BCE",
        "Batch",
        "CrossEntropy",
        "Dice",
        "Focal",
        "FocalTversky",
        "Loss",
        "Lovasz",
        "Sample",
        "Schedule",
        "StepResult",
        "Tversky",
        "UNLABELLED",
        "VeerNet",
        "VeerNetConfig",
        "collate",
        "shard",
        "train_step",
    ]


def test_every_public_name_is_documented():
    for name in veernet.__all__:
        value = getattr(veernet, name)
        assert not callable(value) or (value.__doc__ or "").strip(), name
