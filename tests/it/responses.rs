//! Streamed answers in the Responses shape, as a service sends them: events as text, ready to be
//! sent by `server`.

use serde_json::Value;
use serde_json::json;

/// An answer that is put together.
pub struct Answer {
    events: Vec<String>,
    items: Vec<String>,
}

impl Answer {
    /// An answer without anything in it.
    pub fn new() -> Answer {
        let created = json!({"type": "response.created",
            "response": {"id": "resp_1", "status": "in_progress"}});
        Answer {
            events: vec![event(&created)],
            items: Vec::new(),
        }
    }

    /// A reasoning item with a summary and sealed content.
    pub fn think(mut self, text: &str, sealed: &str) -> Answer {
        self.delta("response.reasoning_summary_text.delta", text);
        self.item(&json!({"type": "reasoning", "id": "rs_1",
            "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": sealed}))
    }

    /// A message, in two deltas.
    pub fn say(mut self, text: &str) -> Answer {
        let half = text.char_indices().nth(text.chars().count() / 2);
        let (left, right) = text.split_at(half.map_or(0, |(at, _)| at));
        self.delta("response.output_text.delta", left);
        self.delta("response.output_text.delta", right);
        self.item(
            &json!({"type": "message", "id": "msg_1", "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "annotations": [], "text": text}]}),
        )
    }

    /// More words of a message that never becomes whole.
    pub fn say_half(mut self, text: &str) -> Answer {
        self.delta("response.output_text.delta", text);
        self
    }

    /// A call of a function.
    pub fn call(self, call_id: &str, name: &str, arguments: &Value) -> Answer {
        self.call_raw(call_id, name, &arguments.to_string())
    }

    /// A call whose arguments are any text.
    pub fn call_raw(self, call_id: &str, name: &str, arguments: &str) -> Answer {
        self.item(
            &json!({"type": "function_call", "id": format!("fc_{call_id}"),
            "call_id": call_id, "name": name, "arguments": arguments,
            "status": "completed"}),
        )
    }

    /// A call of `bash`.
    pub fn bash(self, call_id: &str, command: &str) -> Answer {
        self.call(call_id, "bash", &json!({"command": command}))
    }

    /// A call of a tool that takes free text.
    pub fn freeform(self, call_id: &str, name: &str, input: &str) -> Answer {
        self.item(
            &json!({"type": "custom_tool_call", "id": format!("ctc_{call_id}"),
            "call_id": call_id, "name": name, "input": input, "status": "completed"}),
        )
    }

    /// Any item.
    pub fn item(self, item: &Value) -> Answer {
        self.item_raw(&item.to_string())
    }

    /// Any item, as the bytes that it has to keep.
    pub fn item_raw(mut self, item: &str) -> Answer {
        let index = self.items.len();
        self.events.push(format!(
            "event: response.output_item.done\ndata: {{\"type\":\"response.output_item.done\",\
             \"output_index\":{index},\"item\":{item}}}\n\n"
        ));
        self.items.push(item.to_owned());
        self
    }

    /// The events, ended well.
    pub fn whole(self) -> Vec<String> {
        self.whole_with(
            json!({"input_tokens": 100, "output_tokens": 10, "total_tokens": 110,
            "input_tokens_details": {"cached_tokens": 40},
            "output_tokens_details": {"reasoning_tokens": 3}}),
        )
    }

    /// The same with a usage of the test's own.
    pub fn whole_with(mut self, usage: Value) -> Vec<String> {
        self.events.push(format!(
            "event: response.completed\ndata: {{\"type\":\"response.completed\",\"response\":\
             {{\"id\":\"resp_1\",\"status\":\"completed\",\"output\":[{}],\
             \"usage\":{usage}}}}}\n\n",
            self.items.join(",")
        ));
        self.events
    }

    /// The events, ended by a failure.
    pub fn failed(mut self, code: &str, message: &str) -> Vec<String> {
        self.events
            .push(event(&json!({"type": "response.failed", "response": {
            "id": "resp_1", "status": "failed", "error": {"code": code, "message": message}}})));
        self.events
    }

    /// The events, ended before they were whole.
    pub fn incomplete(mut self, reason: &str) -> Vec<String> {
        self.events
            .push(event(&json!({"type": "response.incomplete", "response": {
            "id": "resp_1", "status": "incomplete",
            "incomplete_details": {"reason": reason}}})));
        self.events
    }

    /// The events, not ended at all.
    pub fn torn(self) -> Vec<String> {
        self.events
    }

    fn delta(&mut self, kind: &str, text: &str) {
        let delta = json!({"type": kind, "output_index": self.items.len(),
            "content_index": 0, "summary_index": 0, "delta": text});
        self.events.push(event(&delta));
    }
}

fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap_or_default()
    )
}
