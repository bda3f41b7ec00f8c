//! The files of `deploy/`, each read by the program that it is for, or by the schema of it. No engine runs them here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::quire;

const DASHBOARD: &str = "deploy/grafana/dashboards/quire.json";

/// Runs a program in a folder of `deploy/`; what it said, if it was content.
fn run(folder: &str, program: &str, arguments: &[&str]) -> Result<String, String> {
    let here = std::env::current_dir().expect("tests run in the package's folder");
    // One with a slash is below the package's folder.
    let path = if program.contains('/') { here.join(program) } else { program.into() };
    let mut command = Command::new(path);
    let done = command.args(arguments).current_dir(here.join("deploy").join(folder)).output();
    let Output { status, stdout, stderr } = done.unwrap_or_else(|error| {
        panic!("{program} is not there ({error}): see require_validators in scripts/setup.sh")
    });
    let said = [stdout, stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    if status.success() { Ok(said) } else { Err(said) }
}

fn manifests() -> Vec<String> {
    let mut files: Vec<String> = ["base", "cluster", "worker"]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(format!("deploy/kubernetes/{folder}")).expect("it is there"))
        .map(|entry| entry.expect("it can be listed").path().display().to_string())
        .filter(|path| !path.ends_with("kustomization.yaml"))
        .collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    files
}

/// Every object of the manifests.
fn objects() -> Vec<Value> {
    let text = |path: String| std::fs::read_to_string(path).expect("it can be read");
    manifests().into_iter().flat_map(|path| documents(&text(path))).collect()
}

fn documents(yaml: &str) -> Vec<Value> {
    use serde::Deserialize as _;
    serde_yaml_ng::Deserializer::from_str(yaml).map(|one| Value::deserialize(one).expect("YAML")).collect()
}

#[test]
fn prometheus_takes_its_configuration_and_the_alerts_fire_when_they_should() {
    run("prometheus", "promtool", &["check", "config", "prometheus.yml"]).expect("it is sound");
    run("prometheus", "promtool", &["test", "rules", "alerts_test.yml"]).expect("they do");
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() {
    let text = std::fs::read_to_string("deploy/prometheus/alerts_test.yml").expect("it is there");
    let tests = documents(&text).remove(0);
    let cases = tests["tests"].as_array().expect("tests").iter();
    let cases = cases.flat_map(|test| test["alert_rule_test"].as_array().expect("cases"));
    let (silent, fires): (Vec<&Value>, Vec<&Value>) =
        cases.partition(|case| case["exp_alerts"].as_array().expect("a list").is_empty());
    for (alert, _) in rules("alerts.yml") {
        let is_in = |cases: &[&Value]| cases.iter().any(|case| case["alertname"] == alert.as_str());
        assert!(is_in(&fires), "{alert} never fires in alerts_test.yml");
        assert!(is_in(&silent), "{alert} is never silent in alerts_test.yml");
    }
}

/// The pods as Prometheus finds them, each with the labels that it is scraped under. A promtool without Kubernetes in it does
/// not know `kubernetes_sd_configs`: what that would find stands in its place.
#[test]
fn pods_are_scraped_under_the_jobs_that_alerts_ask_for() {
    let read = |file: &str| {
        documents(&std::fs::read_to_string(format!("deploy/prometheus/{file}")).expect("it is there"))
            .remove(0)
    };
    let mut config = read("kubernetes.yml");
    let rules = config.as_object_mut().and_then(|config| config.remove("rule_files"));
    assert_eq!(rules, read("prometheus.yml").get("rule_files").cloned());
    let deployments: Vec<Value> =
        objects().into_iter().filter(|object| object["kind"] == "Deployment").collect();
    let mut found: Vec<Value> =
        deployments.iter().map(|one| pod(&one["spec"]["template"]["metadata"])).collect();
    // Somebody else's, in the same namespace.
    found.push(pod(&serde_json::json!({
        "labels": { "app.kubernetes.io/name": "other" }, "annotations": { "prometheus.io/scrape": "true" }
    })));
    let job = config["scrape_configs"][0].as_object_mut().expect("a job");
    assert!(job.remove("kubernetes_sd_configs").is_some_and(|finds| finds[0]["role"] == "pod"));
    job.insert("static_configs".to_owned(), found.into());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prometheus.yml");
    // JSON is YAML.
    std::fs::write(&file, config.to_string()).expect("the folder is ours");
    let file = file.to_str().expect("UTF-8");
    run("", "promtool", &["check", "config", file]).expect("it is sound");
    let said = run("", "promtool", &["check", "service-discovery", "--timeout=2s", file, "pods"]);
    let said: Value = serde_json::from_str(&said.expect("it is sound")).expect("JSON");
    let labels = said.as_array().expect("a list").iter().map(|target| &target["labels"]);
    let scraped: BTreeSet<[String; 4]> = labels
        .filter(|labels| labels.get("job").is_some())
        .map(|labels| {
            ["job", "__address__", "namespace", "pod"]
                .map(|name| labels[name].as_str().unwrap_or("").to_owned())
        })
        .collect();
    let of = |job: &str, address: &str| [job, address, "quire", &format!("{job}-0")].map(str::to_owned);
    let wanted = [of("quire", "10.1.2.3:8080"), of("quire-worker", "10.1.2.3:8081")];
    assert_eq!(scraped, BTreeSet::from(wanted), "{said}");
}

/// What Prometheus is told of a pod with this template.
fn pod(template: &Value) -> Value {
    let mut labels = serde_json::Map::new();
    for (kind, metadata) in [("label", &template["labels"]), ("annotation", &template["annotations"])] {
        for (name, value) in metadata.as_object().expect("metadata") {
            let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            labels.insert(format!("__meta_kubernetes_pod_{kind}_{name}"), value.clone());
        }
    }
    let name = format!("{}-0", template["labels"]["app.kubernetes.io/name"].as_str().expect("a name"));
    for (label, value) in [("namespace", "quire"), ("pod_name", name.as_str()), ("pod_ip", "10.1.2.3")] {
        labels.insert(format!("__meta_kubernetes_{label}"), value.into());
    }
    serde_json::json!({ "targets": ["10.1.2.3:1"], "labels": labels })
}

#[test]
fn compose_reads_the_stack() {
    let compose = |file: &str| run("compose", "target/tools/compose-go", &["-no-interpolation", file]);
    compose("compose.yaml").expect("it is sound");
    // The reader does look.
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("compose.yaml");
    let text = std::fs::read_to_string("deploy/compose/compose.yaml").expect("it is there");
    std::fs::write(&wrong, text.replace("healthcheck:", "healthchek:")).expect("the folder is ours");
    assert!(compose(wrong.to_str().expect("UTF-8")).expect_err("a key is wrong").contains("healthchek"));
}

#[test]
fn kubernetes_knows_every_field_of_the_manifests() {
    let validate = |files: &[&str]| {
        run("", "target/tools/python/bin/kubernetes-validate", &[&["--strict"], files].concat())
    };
    let here = std::env::current_dir().expect("tests run in the package's folder");
    let files: Vec<String> = manifests().iter().map(|file| here.join(file).display().to_string()).collect();
    validate(&files.iter().map(String::as_str).collect::<Vec<_>>()).expect("they are sound");
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("wrong.yaml");
    let text = std::fs::read_to_string("deploy/kubernetes/base/deployment.yaml").expect("it is there");
    std::fs::write(&wrong, text.replace("readinessProbe:", "readynessProbe:")).expect("the folder is ours");
    validate(&[wrong.to_str().expect("UTF-8")]).expect_err("a field is wrong");
}

/// What `kubectl apply -k` makes of a folder.
fn built(folder: &str) -> String {
    run("kubernetes", "target/tools/kustomize", &["build", folder]).expect("it can be built")
}

/// The patches of `cluster` are in no file by themselves.
#[test]
fn kubernetes_knows_every_field_of_what_is_applied() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["base", "cluster", "worker"] {
        let file = folder.path().join(format!("{name}.yaml"));
        std::fs::write(&file, built(name)).expect("the folder is ours");
        let file = file.to_str().expect("UTF-8");
        run("", "target/tools/python/bin/kubernetes-validate", &["--strict", file]).expect("it is sound");
    }
}

/// What makes servers of one cluster of the pods: they stop one after the other, and find and reach each other.
#[test]
fn the_cluster_is_patched_as_it_says() {
    let objects = documents(&built("cluster"));
    let of = |kind: &str| {
        objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    };
    let deployment = &of("Deployment")["spec"];
    // The autoscaler's affair.
    assert!(deployment.get("replicas").is_none(), "{deployment}");
    assert_eq!(deployment["strategy"]["type"], "RollingUpdate");
    assert_eq!(deployment["strategy"]["rollingUpdate"]["maxUnavailable"], 0);
    let variables = deployment["template"]["spec"]["containers"][0]["env"].as_array().expect("variables");
    let place = |name: &str| variables.iter().position(|variable| variable["name"] == name);
    let node = place("QUIRE_NODE_URL").expect("it is told its address");
    assert_eq!(variables[node]["value"], "http://$(POD_IP):8080");
    // A variable knows those before it.
    assert!(place("POD_IP").is_some_and(|pod| pod < node), "{variables:?}");
    let who = of("NetworkPolicy")["spec"]["ingress"][0]["from"].as_array().expect("a list");
    let pods = serde_json::json!({ "podSelector": { "matchLabels": { "app.kubernetes.io/name": "quire" } } });
    assert!(who.len() == 3 && who.contains(&pods), "{who:?}");
}

#[test]
fn kustomizations_name_all_files_beside_them() {
    for folder in ["base", "cluster", "worker"] {
        let path = format!("deploy/kubernetes/{folder}");
        let text = std::fs::read_to_string(format!("{path}/kustomization.yaml")).expect("it is there");
        let kustomization = documents(&text).remove(0);
        let named: BTreeSet<String> = kustomization["resources"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|name| name.as_str().expect("a name").to_owned())
            .filter(|name| name != "../base")
            .collect();
        let all: BTreeSet<String> = manifests()
            .iter()
            .filter_map(|file| file.strip_prefix(&format!("{path}/")).map(str::to_owned))
            .collect();
        assert_eq!(named, all, "{folder}");
    }
}

/// What the manifests promise of scaling and stopping.
#[test]
fn pods_drain_and_scale_as_documented() {
    let objects = objects();
    let of = |kind: &str| {
        objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    };
    let pod = &of("Deployment")["spec"]["template"]["spec"];
    // 5 s until gateways have heard of it, and 10 s at most to stop.
    assert!(pod["terminationGracePeriodSeconds"].as_u64().is_some_and(|seconds| seconds >= 20));
    let container = &pod["containers"][0];
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    let scaler = &of("HorizontalPodAutoscaler")["spec"];
    assert_eq!((&scaler["minReplicas"], &scaler["maxReplicas"]), (&10.into(), &50.into()));
    let metrics = scaler["metrics"].to_string();
    assert!(
        metrics.contains(r#""averageValue":"40k""#) && metrics.contains(r#""averageUtilization":70"#),
        "{metrics}"
    );
    // Below half of what one is added at, and not before.
    assert_eq!(scaler["behavior"]["scaleDown"]["tolerance"], "0.5");
    of("PodDisruptionBudget");
}

#[test]
fn workers_scale_as_documented() {
    let objects = documents(&built("worker"));
    let of = |kind: &str| {
        objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    };
    let (deployment, scaler) = (of("Deployment"), &of("HorizontalPodAutoscaler")["spec"]);
    assert_eq!(scaler["scaleTargetRef"]["name"], deployment["metadata"]["name"]);
    // Applied once more it must not undo what was scaled.
    assert!(deployment["spec"].get("replicas").is_none(), "{deployment}");
    // One of two may die; who is beyond the partitions has nothing to do.
    assert!(scaler["minReplicas"].as_u64().is_some_and(|least| least >= 2), "{scaler}");
    assert!(scaler["maxReplicas"].as_u64().is_some_and(|most| most <= 256), "{scaler}");
    // A share of what is asked for.
    let pod = &deployment["spec"]["template"]["spec"];
    assert!(pod["containers"][0]["resources"]["requests"]["cpu"].is_string(), "{pod}");
}

/// Names of metrics in an expression: what a recording rule makes has a colon in it.
fn names_in(expression: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words = expression
        .split(|c| !is_name(c))
        .filter(|word| word.starts_with("quire_") || word.starts_with("quire:"));
    words.map(str::to_owned).collect()
}

/// Every name that the server renders or a recording rule makes.
fn known_names() -> BTreeSet<String> {
    let rendered = quire::metrics::render();
    let samples = rendered.lines().filter(|line| !line.starts_with('#'));
    let mut known: BTreeSet<String> =
        samples.map(|line| line.split([' ', '{']).next().unwrap_or_default().to_owned()).collect();
    // One whose labels have no value yet is told by its type alone.
    known.extend(
        rendered
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned)),
    );
    known.extend(rules("rules.yml").into_iter().map(|(name, _)| name));
    known
}

/// Name and expression of every rule in a file.
fn rules(file: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(Path::new("deploy/prometheus").join(file)).expect("it is there");
    let groups = documents(&text).remove(0);
    let rules = groups["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"));
    rules
        .map(|rule| {
            let name = rule["record"].as_str().or(rule["alert"].as_str()).expect("a name");
            (name.to_owned(), rule["expr"].as_str().expect("an expression").to_owned())
        })
        .collect()
}

fn panels() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(DASHBOARD).expect("it is there");
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().into_iter().flatten();
        targets.map(|target| {
            (panel["title"].as_str().expect("a title"), target["expr"].as_str().expect("an expression"))
        })
    });
    targets.map(|(title, expression)| (title.to_owned(), expression.to_owned())).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_there_are() {
    let known = known_names();
    let asked = [rules("rules.yml"), rules("alerts.yml"), panels()].concat();
    assert!(asked.len() > 30, "{}", asked.len());
    for (place, expression) in asked {
        for name in names_in(&expression) {
            assert!(known.contains(&name), "{place}: there is no metric {name}");
        }
    }
    // What scales pods is a metric too.
    let scaler =
        objects().into_iter().find(|object| object["kind"] == "HorizontalPodAutoscaler").expect("one");
    let metric = scaler["spec"]["metrics"][0]["pods"]["metric"]["name"].as_str().expect("a name").to_owned();
    assert!(known.contains(&format!("quire_{metric}")), "{metric}");
}

#[test]
fn prometheus_can_read_every_expression_of_the_dashboard() {
    let rules: Vec<Value> = panels()
        .into_iter()
        .enumerate()
        .map(|(n, (_, expression))| serde_json::json!({ "record": format!("panel:{n}"), "expr": expression }))
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rules.yml");
    // JSON is YAML.
    let text = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] }).to_string();
    std::fs::write(&file, text).expect("the folder is ours");
    run("", "promtool", &["check", "rules", file.to_str().expect("UTF-8")]).expect("they are sound");
}

#[test]
fn every_metric_and_every_alert_is_explained() {
    let manual = std::fs::read_to_string("docs/operations.md").expect("it is there");
    let rendered = quire::metrics::render();
    for name in rendered.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()) {
        assert!(manual.contains(&format!("`{name}")), "{name} is not in docs/operations.md");
    }
    for (alert, _) in rules("alerts.yml") {
        assert!(manual.contains(&format!("`{alert}`")), "{alert} is not in docs/operations.md");
    }
}

#[test]
fn quire_takes_the_settings_of_the_pods() {
    let text = std::fs::read_to_string("deploy/kubernetes/base/config.yaml").expect("it is there");
    let settings = documents(&text).remove(0)["data"]["quire.toml"].as_str().expect("a file").to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is ours");
    write("jwt-secret", "secret\n");
    write("database-url", "postgres://quire:secret@postgres/quire\n");
    write("redis-url", "redis://:secret@redis:6379/0\n");
    let here = folder.path().to_str().expect("UTF-8");
    assert!(settings.contains("/run/quire-secrets/"));
    // What base/kustomization.yaml has somebody make a secret of is what the file asks for, and no more.
    let how = std::fs::read_to_string("deploy/kubernetes/base/kustomization.yaml").expect("it is there");
    let made = how.split("--from-literal=").skip(1).filter_map(|rest| rest.split('=').next());
    let asked = settings.lines().filter(|line| !line.starts_with('#'));
    let asked = asked.filter_map(|line| line.split_once("/run/quire-secrets/")?.1.split('"').next());
    assert_eq!(made.collect::<BTreeSet<_>>(), asked.collect::<BTreeSet<_>>());
    let settings = settings.replace("/run/quire-secrets", here);
    let check = |settings: &str| {
        write("quire.toml", settings);
        let mut check = quire();
        check.args(["config", "check", "--config"]).arg(folder.path().join("quire.toml"));
        let done = check.output().expect("the binary is there");
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    // Nobody is believed where requests come from unless whoever installs it says who.
    let (is_good, said) = check(&settings);
    assert!(!is_good && said.contains("trusted_proxies"), "{said}");
    let settings = settings.replace("THE-ADDRESSES-OF-THE-INGRESS", "10.1.2.16/28");
    // Nor is there a bucket unless they name one.
    let (is_good, said) = check(&settings);
    assert!(!is_good && said.contains("QUIRE_OBJECT_STORE_URL"), "{said}");
    let bucket = "s3://?THE-BUCKET";
    assert!(settings.contains(bucket));
    let (is_good, said) = check(&settings.replace(bucket, "s3://quire/production"));
    // One that was built without S3 says so.
    assert!(is_good || (!cfg!(feature = "s3") && said.contains("without S3")), "{said}");
    let (is_good, said) = check(&settings.replace(bucket, "file:///srv/quire"));
    assert!(is_good, "{said}");
}

/// Archived operations are a part of the log: they are not to be where a replaced pod takes them along.
#[test]
fn no_pod_archives_into_a_folder_that_goes_with_it() {
    let text = std::fs::read_to_string("deploy/kubernetes/base/config.yaml").expect("it is there");
    let settings = documents(&text).remove(0)["data"]["quire.toml"].as_str().expect("a file").to_owned();
    let settings: toml::Table = settings.parse().expect("TOML");
    let data = settings["data"].as_str().expect("a folder");
    let is_never = settings.get("archive_after_days").and_then(toml::Value::as_integer) == Some(0);
    // Another folder of the pod is no better.
    let store = settings.get("object_store_url").and_then(toml::Value::as_str).unwrap_or_default();
    let is_elsewhere = store.starts_with("s3://");
    let pods: Vec<Value> = objects().into_iter().filter(|object| object["kind"] == "Deployment").collect();
    assert_eq!(pods.len(), 2, "{pods:?}");
    for deployment in &pods {
        let (name, pod) = (&deployment["metadata"]["name"], &deployment["spec"]["template"]["spec"]);
        // What is set here is above the file.
        for set in pod["containers"][0]["env"].as_array().expect("variables") {
            let set = set["name"].as_str().expect("a name");
            assert!(
                !["QUIRE_OBJECT_STORE_URL", "QUIRE_ARCHIVE_AFTER_DAYS", "QUIRE_DATA"].contains(&set),
                "{set}"
            );
        }
        let mounts = pod["containers"][0]["volumeMounts"].as_array().expect("mounts");
        let volume = mounts.iter().find(|mount| mount["mountPath"] == data).map(|mount| &mount["name"]);
        let volumes = pod["volumes"].as_array().expect("volumes");
        let is_kept = volumes.iter().any(|one| {
            volume.is_some_and(|name| one["name"] == *name) && one.get("persistentVolumeClaim").is_some()
        });
        assert!(
            is_kept || is_never || is_elsewhere,
            "what {name} archives is in {data}, which goes with the pod"
        );
    }
}
