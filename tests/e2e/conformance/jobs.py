"""Holds job files against what their schedulers publish: the schemas of Kubernetes, and the messages of
Batch and Cloud Run, all of which refuse unknown fields. Then what these do not know: words that are no
enumerations there, and that fields agree with each other.

Reads a line for each file: scheduler, number of slices, how many run at once, path. Prints the variables
of their tasks as JSON, a line for each file.
"""

import copy
import json
import sys

import kubernetes_validate
import yaml
from google.cloud import batch_v1, run_v2
from google.protobuf import json_format

# Exit codes after which no task is started again.
PERMANENT = [2, 3, 4]


def by_name(variables):
    names = [variable["name"] for variable in variables]
    assert len(names) == len(set(names)), names
    return {variable["name"]: variable["value"] for variable in variables}


def mounts(pod, container):
    volumes = [volume["name"] for volume in pod.get("volumes", [])]
    assert volumes == [mount["name"] for mount in container.get("volumeMounts", [])]
    return bool(volumes)


def is_refused(check, job, change):
    wrong = copy.deepcopy(job)
    change(wrong)
    try:
        check(wrong)
    except (kubernetes_validate.ValidationError, json_format.ParseError):
        return True
    return False


def kubernetes(text, slices, parallel):
    job = yaml.safe_load(text)

    def check(job):
        for version in ("1.37", "1.33", "1.29"):
            kubernetes_validate.validate(job, version, strict=True)

    check(job)
    assert is_refused(check, job, lambda job: job["spec"].update(completionsMode="Indexed"))
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert spec["completionMode"] == "Indexed" and pod["restartPolicy"] == "Never"
    assert (spec["completions"], spec["parallelism"]) == (slices, parallel)
    assert spec["backoffLimitPerIndex"] > 0
    ignored, failed = spec["podFailurePolicy"]["rules"]
    assert ignored["action"] == "Ignore" and failed["action"] == "FailJob"
    assert [it["type"] for it in ignored["onPodConditions"]] == ["DisruptionTarget"]
    assert failed["onExitCodes"] == {
        "containerName": container["name"], "operator": "In", "values": PERMANENT,
    }
    mounted = mounts(pod, container)
    assert mounted == ("gke-gcsfuse/volumes" in str(spec["template"].get("metadata")))
    variables = by_name(container["env"])
    assert variables["IDX2GCS_SHARD_COUNT"] == str(slices)
    return container["args"], variables, mounted


def cloud_run(text, slices, parallel):
    job = yaml.safe_load(text)
    assert (job["apiVersion"], job["kind"]) == ("run.googleapis.com/v1", "Job")
    assert sorted(job) == ["apiVersion", "kind", "metadata", "spec"]
    assert list(job["spec"]) == ["template"] and list(job["spec"]["template"]) == ["spec"]

    def check(job):
        # The file is of version 1 of the interface, the messages are of version 2.
        execution = copy.deepcopy(job["spec"]["template"]["spec"])
        task = execution.pop("template")["spec"]
        task["timeout"] = f"{task.pop('timeoutSeconds')}s"
        task["serviceAccount"] = task.pop("serviceAccountName")
        for volume in task.get("volumes", []):
            csi = volume.pop("csi")
            assert csi["driver"] == "gcsfuse.run.googleapis.com"
            options = csi["volumeAttributes"]
            volume["gcs"] = {"bucket": options["bucketName"], "readOnly": csi["readOnly"],
                             "mountOptions": options["mountOptions"].split(",")}
        for container in task["containers"]:
            for mount in container.get("volumeMounts", []):
                assert mount.pop("readOnly")
        job = {"template": {"template": task, **execution}}
        json_format.ParseDict(job, run_v2.Job.pb(run_v2.Job()))

    check(job)
    execution = job["spec"]["template"]["spec"]
    task = execution["template"]["spec"]
    assert is_refused(check, job, lambda job: job["spec"]["template"]["spec"].update(tasks=8))
    assert (execution["taskCount"], execution["parallelism"]) == (slices, parallel)
    assert task["maxRetries"] > 0
    (container,) = task["containers"]
    return container["args"], by_name(container["env"]), mounts(task, container)


def batch(text, slices, parallel):
    job = json.loads(text)

    def check(job):
        json_format.ParseDict(job, batch_v1.Job.pb(batch_v1.Job()))

    check(job)
    (group,) = job["taskGroups"]
    task = group["taskSpec"]
    assert is_refused(check, job, lambda job: job["taskGroups"][0].update(tasks=8))
    assert (group["taskCount"], group["parallelism"]) == (str(slices), str(parallel))
    # Batch takes one policy alone: to fail on these is to repeat all others.
    assert task["lifecyclePolicies"] == [
        {"action": "FAIL_TASK", "actionCondition": {"exitCodes": PERMANENT}}
    ]
    assert task["maxRetryCount"] > 0
    (runnable,) = task["runnables"]
    return runnable["container"]["commands"], task["environment"]["variables"], "volumes" in task


CHECKS = {"kubernetes": kubernetes, "cloud-run": cloud_run, "batch": batch}

for line in sys.stdin:
    scheduler, slices, parallel, path = line.split()
    with open(path) as file:
        args, variables, mounted = CHECKS[scheduler](file.read(), int(slices), int(parallel))
    assert args == ["load"] and variables["IDX2GCS_SHARD_OF"] == "auto", path
    # Cloud Run and Batch tell a task how many there are, also when that was changed.
    assert scheduler == "kubernetes" or "IDX2GCS_SHARD_COUNT" not in variables
    source = variables.get("IDX2GCS_SOURCE_PATH", "")
    assert mounted == source.startswith("/mnt/disks/source"), path
    print(json.dumps(variables))
