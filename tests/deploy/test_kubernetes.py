"""deploy/kubernetes: what the chart's values and the cluster's objects say, and the pod that a run gets of them."""

import inspect
import re
from functools import cache

import pytest
import yaml
from dagster._config import process_config, resolve_to_config_type
from dagster._core.instance.config import dagster_instance_config_schema
from dagster_k8s import K8sRunLauncher, client
from dagster_k8s.container_context import K8sContainerContext
from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job
from dagster_postgres.utils import pg_url_from_config
from processes import CLONE

from engagement_pipeline.core import orchestration

KUBERNETES = CLONE / "deploy" / "kubernetes"
VALUES = yaml.safe_load((KUBERNETES / "values.yaml").read_text(encoding="utf-8"))
((CODE,),) = [VALUES["dagster-user-deployments"]["deployments"]]
LAUNCHER = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
LOCK = (CLONE / "requirements.lock").read_text(encoding="utf-8")
HELD = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@cache
def objects():
    """Return the cluster's objects by kind and name."""
    found = [each for file in (KUBERNETES / "cluster").glob("*.yaml") for each in yaml.safe_load_all(file.read_text())]
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def snake(name):
    return re.sub(r"([A-Z])", r"_\1", name).lower()


def launched():
    """Return the job of a run, as Dagster makes it of what the chart's templates take from the values."""
    shared = {name: CODE[name] for name in ("volumes", "volumeMounts", "labels", "resources")}
    context = {snake(name): value for name, value in shared.items()} | {
        "env_secrets": [each["name"] for each in CODE["envSecrets"]],
        "service_account_name": VALUES["dagster-user-deployments"]["serviceAccount"]["name"],
    }
    of_launcher = {
        "security_context": LAUNCHER["securityContext"],
        "run_k8s_config": {snake(name): value for name, value in LAUNCHER["runK8sConfig"].items()},
    }
    both = [K8sContainerContext.create_from_config({"k8s": each}) for each in (of_launcher, context)]
    merged = both[0].merge(both[1])
    image = f"{CODE['image']['repository']}:{CODE['image']['tag']}"
    config = DagsterK8sJobConfig(job_image=image, dagster_home="/opt/dagster/dagster_home")
    return construct_dagster_k8s_job(config, ["dagster"], "run", merged.run_k8s_config).to_dict()


@pytest.fixture(scope="module")
def pod():
    return launched()["spec"]["template"]


def test_the_chart_is_of_the_version_of_the_lock():
    (locked,) = re.findall(r"^dagster==(\S+)", LOCK, re.MULTILINE)
    pages = [(KUBERNETES / "values.yaml").read_text(), (CLONE / "docs" / "containers.md").read_text()]
    assert {version for page in pages for version in re.findall(r"dagster/dagster --version (\S+)", page)} == {locked}


def test_the_instance_is_the_plain_one_with_other_words_for_the_queue():
    plain = yaml.safe_load((CLONE / "deploy" / "dagster.yaml").read_text(encoding="utf-8"))
    queue = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    ours = VALUES["additionalInstanceConfig"] | {"run_queue": queue["config"], "telemetry": VALUES["telemetry"]}
    assert ours == plain


def test_the_chart_writes_none_of_the_keys_that_stand_in_the_instance():
    assert VALUES["dagsterDaemon"]["runMonitoring"] == {"enabled": False}
    assert VALUES["dagsterDaemon"]["runRetries"] == {"enabled": False}
    assert VALUES["retention"] == {"enabled": False}
    assert {"concurrency", "pythonLogs"} & VALUES.keys() == set()


def test_dagster_takes_the_instance_with_the_queue_as_a_class():
    queue = VALUES["dagsterDaemon"]["runCoordinator"]["config"]["customRunCoordinator"]
    instance = VALUES["additionalInstanceConfig"] | {"run_coordinator": queue}
    schema = resolve_to_config_type(dagster_instance_config_schema())
    assert process_config(schema, instance).success
    (module, name) = (queue["module"], queue["class"])
    coordinator = getattr(__import__(module, fromlist=[name]), name)
    assert process_config(coordinator.config_type(), queue["config"]).success


def test_dagster_takes_what_the_launcher_is_given():
    given = {
        "image_pull_policy": LAUNCHER["imagePullPolicy"],
        "load_incluster_config": LAUNCHER["loadInclusterConfig"],
        "fail_pod_on_run_failure": LAUNCHER["failPodOnRunFailure"],
        "security_context": LAUNCHER["securityContext"],
        "run_k8s_config": {snake(name): value for name, value in LAUNCHER["runK8sConfig"].items()},
        "service_account_name": VALUES["serviceAccount"]["name"],
        "instance_config_map": "engagement-dagster-instance",
        "dagster_home": "/opt/dagster/dagster_home",
        "postgres_password_secret": VALUES["global"]["postgresqlSecretName"],
    }
    assert process_config(resolve_to_config_type(K8sRunLauncher.config_type()), given).success


def test_events_go_to_postgresql_by_psycopg2():
    told = VALUES["postgresql"]
    url = pg_url_from_config(
        {
            "postgres_db": {
                "username": told["postgresqlUsername"],
                "password": "s3cret",
                "hostname": told["postgresqlHost"],
                "db_name": told["postgresqlDatabase"],
                "params": told["postgresqlParams"],
                "scheme": told["postgresqlScheme"],
            }
        }
    )
    assert url.startswith("postgresql+psycopg2://engagement:")
    lasting = yaml.safe_load((CLONE / "deploy" / "systemd" / "dagster.yaml").read_text(encoding="utf-8"))
    assert url.endswith("dagster?options=-csynchronous_commit%3Doff")
    assert lasting["storage"]["postgres"]["postgres_url"].endswith("dagster?options=-csynchronous_commit=off")


def test_the_code_location_is_served_as_on_other_machines():
    named = CODE["dagsterApiGrpcArgs"]
    assert dict(zip(named[::2], named[1::2], strict=True)) == {
        "--python-file": "assets/definitions.py",
        "--working-directory": "/opt/engagement/clone",
        "--location-name": "engagement",
    }
    assert CODE["port"] == 4266


def test_a_run_has_the_lake_and_nothing_else_to_write_to(pod):
    (container,) = pod["spec"]["containers"]
    writable = {mount["mount_path"] for mount in container["volume_mounts"] if not mount["read_only"]}
    assert writable == {"/var/lib/engagement", "/tmp"}
    claims = [volume["persistent_volume_claim"] for volume in pod["spec"]["volumes"]]
    assert [claim["claim_name"] for claim in claims if claim] == ["engagement"]
    assert ("PersistentVolumeClaim", "engagement") in objects()


def test_a_run_is_on_the_node_of_the_lake_since_its_locks_are_of_files(pod):
    assert pod["spec"]["node_selector"] == CODE["nodeSelector"] == {"engagement/lake": "here"}
    claim = objects()["PersistentVolumeClaim", "engagement"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert objects()["Pod", "toolbox"]["spec"]["nodeSelector"] == CODE["nodeSelector"]


def test_a_run_that_lost_its_pod_is_tried_again_by_dagster_alone():
    assert launched()["spec"]["backoff_limit"] == 0


def test_a_pool_slot_comes_free_when_the_library_takes_the_run_for_over():
    monitoring = VALUES["additionalInstanceConfig"]["run_monitoring"]
    assert monitoring["max_runtime_seconds"] == orchestration.MAX_RUNTIME.total_seconds()
    assert "max_resume_run_attempts" not in monitoring  # by default 0: the retry goes on, from what has landed


def test_a_run_is_held_as_the_other_pods_are(pod):
    (container,) = pod["spec"]["containers"]
    held = container["security_context"]
    assert {name: held[snake(name)] for name in ("allowPrivilegeEscalation", "readOnlyRootFilesystem")} == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
    }
    assert held["capabilities"]["drop"] == ["ALL"]
    assert pod["spec"]["security_context"]["run_as_user"] == 10001
    (toolbox,) = objects()["Pod", "toolbox"]["spec"]["containers"]
    for each in (CODE, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], toolbox):
        assert each["securityContext"] == HELD
    for each in (CODE, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"]):
        assert each["podSecurityContext"]["runAsNonRoot"] is True


def test_each_pod_says_what_it_needs():
    (toolbox,) = objects()["Pod", "toolbox"]["spec"]["containers"]
    for each in (CODE, VALUES["dagsterWebserver"], VALUES["dagsterDaemon"], toolbox):
        assert each["resources"].keys() == {"requests", "limits"}


def test_one_image_is_for_all():
    (toolbox,) = objects()["Pod", "toolbox"]["spec"]["containers"]
    image = CODE["image"]
    assert VALUES["dagsterWebserver"]["image"] == VALUES["dagsterDaemon"]["image"] == image
    assert toolbox["image"] == f"{image['repository']}:{image['tag']}"


def test_what_asks_the_api_may_do_nothing_in_the_cluster(pod):
    name = pod["spec"]["service_account_name"]
    assert name != VALUES["serviceAccount"]["name"]
    bound = {each["name"] for kind, each in _subjects()}
    assert name not in bound
    assert ("ServiceAccount", name) in objects()


def test_what_launches_may_do_what_dagsters_launcher_calls_and_no_more():
    calls = re.findall(r"(?:batch|core)_api\.([a-z]+)_namespaced_(\w+)\(", inspect.getsource(client))
    verbs = {"read": "get"}
    needed = {(verbs.get(verb, verb), re.sub(r"^([a-z]+)", r"\1s", thing).replace("_", "/")) for verb, thing in calls}
    rules = objects()["Role", "engagement-launcher"]["rules"]
    assert {(verb, thing) for rule in rules for verb in rule["verbs"] for thing in rule["resources"]} == needed
    assert ("create", "jobs") in needed


def test_what_launches_may_do_so_in_its_namespace_alone():
    assert {kind for kind, _ in objects()} & {"ClusterRole", "ClusterRoleBinding"} == set()
    assert [each["name"] for _, each in _subjects()] == [VALUES["serviceAccount"]["name"]]
    assert VALUES["rbacEnabled"] is VALUES["dagster-user-deployments"]["rbacEnabled"] is False


def _subjects():
    return [(kind, each) for (kind, _), bound in objects().items() for each in bound.get("subjects", [])]


def policies(kind):
    """Return the network policies that open something in a direction."""
    found = [each["spec"] for (each_kind, _), each in objects().items() if each_kind == "NetworkPolicy"]
    return [spec for spec in found if spec.get(kind)]


def test_what_no_rule_names_is_closed():
    spec = objects()["NetworkPolicy", "engagement-nothing"]["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_what_asks_reaches_the_apis_port_names_and_the_database_alone():
    everybody = [spec for spec in policies("egress") if spec["podSelector"] in ({}, {"matchLabels": CODE["labels"]})]
    ports = {port["port"] for spec in everybody for rule in spec["egress"] for port in rule["ports"]}
    assert ports == {53, 443, 5432}


def test_only_the_daemon_and_the_webserver_are_answered_and_only_the_ui_from_elsewhere():
    opened = {
        port["port"]: rule["from"] for spec in policies("ingress") for rule in spec["ingress"] for port in rule["ports"]
    }
    assert opened.keys() == {CODE["port"], VALUES["dagsterWebserver"]["service"]["port"]}
    ((peer,),) = [opened[CODE["port"]]]
    (expression,) = peer["podSelector"]["matchExpressions"]
    roles = [VALUES[each]["labels"]["engagement/role"] for each in ("dagsterDaemon", "dagsterWebserver")]
    assert expression["values"] == roles
    assert opened[3000] == [{"namespaceSelector": {"matchLabels": {"engagement/ui": "allowed"}}}]


def test_the_webserver_is_looked_at_where_it_listens():
    webserver = VALUES["dagsterWebserver"]
    assert webserver["readinessProbe"]["httpGet"]["port"] == webserver["service"]["port"]
