"""Every key is optional, every wrong one is named."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from edge.config import Config, ConfigError, example, load_config, secret


def load(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "potline.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path)


def test_an_empty_file_is_the_default_beside_it(tmp_path: Path) -> None:
    config = load(tmp_path, "")
    assert config == msgspec.structs.replace(
        Config(), plant=str(tmp_path / "plant.toml"), data_dir=str(tmp_path / "potline-data")
    )


def test_the_printed_example_shows_every_key_with_its_default(tmp_path: Path) -> None:
    shown = "\n".join(
        line[2:] if line.startswith("# ") else line
        for line in example().splitlines()
        if not line.startswith("## ")
    )
    assert msgspec.convert(tomllib.loads(shown), Config) == Config()
    names = {key for section in tomllib.loads(shown).values() if isinstance(section, dict) for key in section}
    wanted = {
        name
        for struct in (getattr(Config(), field) for field in Config.__struct_fields__)
        if isinstance(struct, msgspec.Struct)
        for name in struct.__struct_fields__
    }
    assert names == wanted
    assert load(tmp_path, example()).mqtt == Config().mqtt


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[mqtt]\nbrokr = 'x'", "brokr"),
        ("plnt = 'x'", "plnt"),
        ("[mqtt]\npassword = 'hunter2'", "password"),
        ("[mqtt]\nport = 'many'", "mqtt.port"),
        ("[mqtt]\nport = 70000", "mqtt.port = 70000 is outside 1 to 65535"),
        ("[energy]\nrectifier_efficiency = nan", "energy.rectifier_efficiency"),
        ("language = 'de'", "language"),
        ("[twin]\nscan_s = 1.5", "twin.scan_s = 1.5 must be a whole multiple"),
        ("[mqtt]\ntopics = []", "mqtt.topics is empty"),
        ("[influxdb]\nurl = 'influx'", 'influxdb.url = "influx" must begin with http:// or https://'),
        ("[mqtt", "not valid TOML"),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match="potline.toml") as caught:
        load(tmp_path, text)
    assert says in str(caught.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="potline config >"):
        load_config(tmp_path / "none.toml")


def test_secrets_come_from_file_before_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POTLINE_TEST_SECRET", "from-env")
    file = tmp_path / "secret"
    file.write_text("from-file\n", encoding="utf-8")
    assert secret("POTLINE_TEST_SECRET", str(file)) == "from-file"
    assert secret("POTLINE_TEST_SECRET", "") == "from-env"
    assert secret("POTLINE_TEST_NOTHING", "") is None
    with pytest.raises(ConfigError, match="none"):
        secret("", str(tmp_path / "none"))
