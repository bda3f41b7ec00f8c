//! A network in front of components that can be cut and slowed down (toxiproxy).

use std::time::Duration;

use serde_json::{Value, json};

use crate::services::Service;

/// Longer than any test: what is sent arrives when the network is whole again, and not before.
const NEVER: Duration = Duration::from_hours(1);

/// Of a bad line, each way.
const SLOW: Duration = Duration::from_millis(60);

/// A toxiproxy.
pub struct Network {
    service: Service,
    agent: ureq::Agent,
}

/// The way to one component.
#[derive(Clone, Debug)]
pub struct Way {
    name: String,
    /// `HOST:PORT` where it is entered.
    pub address: String,
}

impl Network {
    pub fn start() -> Self {
        let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(30))).build();
        Self { service: Service::start("toxiproxy"), agent: config.into() }
    }

    /// Opens a way. Where it leads may be told later.
    pub fn open(&self, name: &str) -> Way {
        let proxy =
            json!({ "name": name, "listen": "127.0.0.1:0", "upstream": "127.0.0.1:9", "enabled": true });
        let made = self.post("/proxies", &proxy);
        Way { name: name.to_owned(), address: made["listen"].as_str().expect("an address").to_owned() }
    }

    /// Lets it lead to `HOST:PORT`.
    pub fn lead(&self, way: &Way, to: &str) {
        self.change(way, &json!({ "listen": way.address, "upstream": to, "enabled": true }));
    }

    /// Connections end, and new ones are refused.
    pub fn cut(&self, way: &Way) {
        self.change(way, &json!({ "enabled": false }));
    }

    /// What [`Self::cut`] has done is over.
    pub fn join(&self, way: &Way) {
        self.change(way, &json!({ "enabled": true }));
    }

    /// Connections stay and can be made, and nothing arrives.
    pub fn silence(&self, way: &Way) {
        self.delay(way, NEVER);
    }

    /// Everything takes its time, each way.
    pub fn slow_down(&self, way: &Way) {
        self.delay(way, SLOW);
    }

    /// What [`Self::silence`] and [`Self::slow_down`] have done is over. What was under way arrives.
    pub fn speed_up(&self, way: &Way) {
        for direction in DIRECTIONS {
            let url = format!("{}/proxies/{}/toxics/{direction}", self.service.address, way.name);
            self.agent.delete(url).call().expect("toxiproxy answers");
        }
    }

    fn delay(&self, way: &Way, latency: Duration) {
        let latency = latency.as_millis() as u64;
        for direction in DIRECTIONS {
            let toxic = json!({ "name": direction, "type": "latency", "stream": direction, "attributes": { "latency": latency } });
            self.post(&format!("/proxies/{}/toxics", way.name), &toxic);
        }
    }

    fn change(&self, way: &Way, to: &Value) {
        self.post(&format!("/proxies/{}", way.name), to);
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.service.address);
        let mut answer = self.agent.post(url).send_json(body).expect("toxiproxy answers");
        answer.body_mut().read_json().expect("JSON")
    }
}

const DIRECTIONS: [&str; 2] = ["upstream", "downstream"];
