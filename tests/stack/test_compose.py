"""docker-compose.yml: valid by the schema, pinned, bounded, and closed to the network."""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from .programs import COLLECTOR, ROOT, forced_into_the_wheel

COMPOSE = ROOT / "docker-compose.yml"
SAID = yaml.safe_load(COMPOSE.read_text())
ENV = dict(
    line.split("=", 1)
    for line in (ROOT / ".env").read_text().splitlines()
    if line and not line.startswith("#")
)
README = (COLLECTOR / "README.md").read_text()
# It sets owners of folders and ends.
RUNNING = {name: one for name, one in SAID["services"].items() if name != "volumes"}


def test_it_is_valid_by_the_compose_schema() -> None:
    _assert_valid(COMPOSE)


def test_overrides_in_the_documents_are_valid_and_of_services_that_there_are(
    tmp_path: Path,
) -> None:
    text = README + (COLLECTOR / "scale" / "README.md").read_text()
    overrides = re.findall(r"```yaml\n(services:\n.+?)```", text, re.DOTALL)

    assert len(overrides) > 1
    for number, override in enumerate(overrides):
        path = tmp_path / f"{number}.yml"
        path.write_text(override)
        _assert_valid(path)
        assert set(yaml.safe_load(override)["services"]) <= {*RUNNING, "shop"}, override


def test_a_network_of_this_project_has_the_name_in_the_document() -> None:
    assert f"{SAID['name']}_default: {{external: true}}" in README
    assert not any("networks" in one for one in RUNNING.values())


def test_the_document_says_what_each_program_publishes_needs_and_keeps() -> None:
    row = r"^\| (\w+) \|([\d, ]*)\| (\d+) MiB \|.*\|(.*)\|$"
    told = {name.lower(): said for name, *said in re.findall(row, README, re.MULTILINE)}

    assert set(told) == set(RUNNING)
    for name, (ports, memory, setting) in told.items():
        published = [port.split(":")[1] for port in RUNNING[name].get("ports", ())]
        assert ports.strip().split(", ") == (published or [""]), name
        assert float(memory) == _mebibytes(RUNNING[name]["mem_limit"]), name
        if "RETENTION" in setting:
            variable, _, value = setting.strip(" `").partition("=")
            assert ENV[variable] == value
            assert f"${{{variable}}}" in str(RUNNING[name])
    always = [one for one in RUNNING.values() if "profiles" not in one]
    total = sum(_mebibytes(one["mem_limit"]) for one in always)
    assert f"| all of these | | {total:.0f} MiB |" in README


def _assert_valid(path: Path) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_images_are_named_in_one_file() -> None:
    images = {name: one["image"] for name, one in SAID["services"].items() if "build" not in one}

    for name, image in images.items():
        variable = re.fullmatch(r"\$\{(\w+_IMAGE)\}", image)
        assert variable, f"{name}: {image}"
        assert variable[1] in ENV, name


def test_images_are_pinned_to_one_release() -> None:
    images = {name: image for name, image in ENV.items() if name.endswith("_IMAGE")}

    assert {"OTELCOL_IMAGE", "PYTHON_IMAGE", "POSTGRES_IMAGE"} < set(images)
    for name, image in images.items():
        numbers = r"\d+\.\d+" if name == "POSTGRES_IMAGE" else r"\d+\.\d+\.\d+"
        assert re.fullmatch(rf"[a-z/-]+:v?{numbers}(-[a-z]+)?", image), name


def test_the_collector_is_the_version_that_the_tests_build_but_for_one_exporter() -> None:
    manifest = yaml.safe_load((COLLECTOR / "builder.yaml").read_text())
    version = manifest["dist"]["version"]
    kinds = ("receivers", "processors", "connectors", "exporters", "extensions")
    parts = [part["gomod"].split() for kind in kinds for part in manifest[kind]]

    assert ENV["OTELCOL_IMAGE"].endswith(f":{version}")
    # See "What is tested, and in which version" in collector/README.md.
    other = {path.rpartition("/")[2] for path, of in parts if of != f"v{version}"}
    assert other == {"elasticsearchexporter"}


def test_grafana_has_no_administrator_with_a_password_that_everybody_knows() -> None:
    said = RUNNING["grafana"]["environment"]

    assert said["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"
    assert said["GF_AUTH_ANONYMOUS_ORG_ROLE"] != "Admin"


def test_ports_are_published_to_this_machine_only() -> None:
    ports = [port for one in RUNNING.values() for port in one.get("ports", ())]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_service_is_bounded_in_memory_and_logs() -> None:
    for name, one in RUNNING.items():
        assert "mem_limit" in one, name
        assert one["logging"]["options"]["max-size"], name


def test_go_knows_the_memory_limit() -> None:
    for name in ("collector", "jaeger", "loki"):
        limit = _mebibytes(RUNNING[name]["mem_limit"])
        told = _mebibytes(RUNNING[name]["environment"]["GOMEMLIMIT"])
        assert 0.78 <= told / limit <= 0.82, name


def test_what_is_mounted_is_there() -> None:
    mounts = [mount.split(":")[0] for one in RUNNING.values() for mount in one.get("volumes", ())]
    folders = {mount for mount in mounts if mount.startswith("./")}
    volumes = {mount for mount in mounts if mount.isidentifier()}

    assert {folder for folder in folders if not (ROOT / folder).exists()} == set()
    assert volumes <= set(SAID["volumes"])


def test_what_others_rely_on_is_there() -> None:
    """Applications, overlays, gateways, dashboards, and whoever starts the stack once more."""
    collector, prometheus = RUNNING["collector"], RUNNING["prometheus"]

    assert {"127.0.0.1:4317:4317", "127.0.0.1:4318:4318"} <= set(collector["ports"])
    assert f"/:{collector['environment']['HOST_ROOT']}:ro" in collector["volumes"]
    assert "./collector/overlays:/etc/otelcol/overlays:ro" in collector["volumes"]
    assert {
        "--web.enable-otlp-receiver",
        "--web.enable-remote-write-receiver",
        "--enable-feature=exemplar-storage",
        "--storage.tsdb.path=/prometheus",
    } <= set(prometheus["command"])
    kept = {
        name: mount.split(":")[1]
        for name, one in RUNNING.items()
        for mount in one.get("volumes", ())
        if mount.split(":")[0] == name
    }
    assert kept == {
        "collector": "/var/lib/otelcol",
        "jaeger": "/var/lib/jaeger",
        "loki": "/loki",
        "prometheus": "/prometheus",
        "alertmanager": "/alertmanager",
        "grafana": "/var/lib/grafana",
        "elasticsearch": "/usr/share/elasticsearch/data",
        "postgres": "/var/lib/postgresql/data",
    }


def test_volumes_belong_to_the_users_of_images_that_cannot_see_to_it() -> None:
    prepared = {volume.split(":")[0] for volume in SAID["services"]["volumes"]["volumes"]}

    assert prepared == {"collector", "jaeger", "loki"}
    for name in prepared:
        condition = RUNNING[name]["depends_on"]["volumes"]["condition"]
        assert condition == "service_completed_successfully"


def test_files_that_commands_name_are_mounted() -> None:
    for name, one in RUNNING.items():
        for path in re.findall(r"[\w.]+file=(\S+)|config=(\S+)", _words(one)):
            target = path[0] or path[1]
            target = target.replace("${PROMETHEUS_CONFIG}", ENV["PROMETHEUS_CONFIG"])
            assert _on_this_side(target, one["volumes"]).is_file(), f"{name}: {target}"


def test_what_the_collector_asks_the_environment_is_passed_to_it() -> None:
    files = [*COLLECTOR.glob("*.yaml"), *(COLLECTOR / "overlays").glob("*.yaml")]
    asked = {name for path in files for name in re.findall(r"\$\{env:(\w+)", path.read_text())}

    assert {"JAEGER_ENDPOINT", "LOG_FILES", "VENDOR_API_KEY"} < asked
    assert asked - set(SAID["services"]["collector"]["environment"]) == set()


def test_a_default_is_the_same_for_compose_and_for_the_collector() -> None:
    passed = SAID["services"]["collector"]["environment"]
    files = [*COLLECTOR.glob("*.yaml"), *(COLLECTOR / "overlays").glob("*.yaml")]
    text = "".join(path.read_text() for path in files)
    defaults = set(re.findall(r"\$\{env:(\w+):-(.*?)\}", text))

    ours = {"OTELKIT_BIND", "HOST_ROOT", "HOST_NAME", "COLLECTOR_QUEUE"}  # of the container
    assert {
        (name, default)
        for name, default in defaults
        if name not in ours and passed[name] != f"${{{name}:-{default}}}"
    } == set()


def test_secrets_are_mounted_into_alertmanager_alone() -> None:
    secrets = COLLECTOR / "alertmanager" / "secrets"
    sees = {
        name
        for name, one in RUNNING.items()
        for mount in one.get("volumes", ())
        if mount.startswith("./") and secrets.is_relative_to(ROOT / mount.split(":")[0])
    }

    assert sees == {"alertmanager"}


def test_secrets_are_in_no_commit_and_no_image() -> None:
    for name in (".gitignore", ".dockerignore"):
        assert "collector/alertmanager/secrets" in (ROOT / name).read_text().splitlines()


def test_the_image_of_the_example_is_built_from_all_that_the_wheel_needs() -> None:
    needed = forced_into_the_wheel()
    ignored = (ROOT / ".dockerignore").read_text().split()

    assert ".env" in needed
    needed += ["otelkit", "pyproject.toml", "README.md", "LICENSE"]
    assert [(path, one) for path in needed for one in ignored if fnmatch(path, one)] == []


def _words(service: dict[str, Any]) -> str:
    command = service.get("command", "")
    return command if isinstance(command, str) else " ".join(command)


def _on_this_side(path: str, mounts: list[str]) -> Any:
    for mount in mounts:
        source, target = mount.split(":")[:2]
        if path == target or path.startswith(f"{target}/"):
            return ROOT / source / path.removeprefix(target).lstrip("/")
    raise AssertionError(f"{path} is in none of {mounts}")


def _mebibytes(text: str) -> float:
    found = re.fullmatch(r"(\d+)(m|g|MiB)", text)
    assert found, text
    return int(found[1]) * (1024 if found[2] == "g" else 1)
