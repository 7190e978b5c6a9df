//! The events of a streamed answer in the Responses shape, as the demo's service sends them.
//!
//! It writes; reading them is `provider`'s. Items carry odd blanks and escapes on purpose: they
//! must come back byte for byte, and whoever parses them and writes them anew is found out.

use serde_json::Value;
use serde_json::json;

/// An answer that is being written.
pub struct Stream {
    id: String,
    events: Vec<String>,
    items: Vec<String>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Server-sent events, each with its blank line, in order.
    pub events: Vec<String>,
    /// The JSON text of the answer's items, as the next request must carry them.
    pub items: Vec<String>,
}

impl Stream {
    /// Begins answer number `number`; the ids of its items are made from it.
    pub fn begin(number: usize) -> Stream {
        let mut stream = Stream {
            id: format!("resp_{number}"),
            events: Vec::new(),
            items: Vec::new(),
        };
        let response = json!({"id": stream.id, "status": "in_progress"});
        stream.push("response.created", &json!({"response": response}));
        stream
    }

    /// A reasoning item: its summary word by word, then the item with its sealed content.
    pub fn think(&mut self, text: &str) {
        let id = self.next_id("rs");
        self.add(&json!({"type": "reasoning", "id": id, "summary": []}));
        let place = json!({"item_id": id, "output_index": self.items.len(), "summary_index": 0});
        self.push("response.reasoning_summary_part.added", &place);
        for word in words(text) {
            let kind = "response.reasoning_summary_text.delta";
            self.push(kind, &with(&place, "delta", word));
        }
        let kind = "response.reasoning_summary_text.done";
        self.push(kind, &with(&place, "text", text));
        self.finish(&json!({
            "type": "reasoning",
            "id": id,
            "summary": [{"type": "summary_text", "text": text}],
            "encrypted_content": format!("gAAAAA/sealed+by+the+service/{id}=="),
        }));
    }

    /// A message, word by word.
    pub fn say(&mut self, text: &str) {
        let id = self.next_id("msg");
        self.add(&json!({"type": "message", "id": id, "role": "assistant", "content": []}));
        let place = json!({"item_id": id, "output_index": self.items.len(), "content_index": 0});
        for word in words(text) {
            let kind = "response.output_text.delta";
            self.push(kind, &with(&place, "delta", word));
        }
        let kind = "response.output_text.done";
        self.push(kind, &with(&place, "text", text));
        self.finish(&json!({
            "type": "message",
            "id": id,
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "annotations": [], "text": text}],
        }));
    }

    /// A call of a function.
    pub fn call(&mut self, call_id: &str, name: &str, arguments: &str) {
        let delta = "response.function_call_arguments.delta";
        self.add_call(
            ["function_call", "arguments", delta],
            call_id,
            name,
            arguments,
        );
    }

    /// A call of a tool that takes free text.
    pub fn call_freeform(&mut self, call_id: &str, name: &str, input: &str) {
        let delta = "response.custom_tool_call_input.delta";
        self.add_call(["custom_tool_call", "input", delta], call_id, name, input);
    }

    /// Ends the answer. Tokens are counted as four bytes each; `read` bytes were sent to us, and
    /// `known` of them had been sent before.
    pub fn complete(mut self, read: usize, known: usize) -> Answer {
        let written: usize = self.items.iter().map(String::len).sum();
        let usage = json!({
            "input_tokens": read / 4,
            "input_tokens_details": {"cached_tokens": known / 4},
            "output_tokens": written / 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": read / 4 + written / 4,
        });
        let kind = "response.completed";
        self.events.push(format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"response\":{{\"id\":\"{}\",\
             \"status\":\"completed\",\"output\":[{}],\"usage\":{usage}}}}}\n\n",
            self.id,
            self.items.join(",")
        ));
        Answer {
            events: self.events,
            items: self.items,
        }
    }

    fn next_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.id, self.items.len())
    }

    fn add(&mut self, item: &Value) {
        let index = self.items.len();
        let fields = json!({"output_index": index, "item": item});
        self.push("response.output_item.added", &fields);
    }

    /// Both kinds of calls: the item's type, the field of its input, the event of a delta.
    fn add_call(&mut self, words_of: [&str; 3], call_id: &str, name: &str, input: &str) {
        let [kind, field, delta] = words_of;
        let id = self.next_id("fc");
        let mut item = json!({"type": kind, "id": id, "call_id": call_id, "name": name});
        item[field] = "".into();
        self.add(&item);
        let place = json!({"item_id": id, "output_index": self.items.len()});
        for word in words(input) {
            self.push(delta, &with(&place, "delta", word));
        }
        item[field] = input.into();
        item["status"] = "completed".into();
        self.finish(&item);
    }

    fn finish(&mut self, item: &Value) {
        let item = oddly(item);
        let kind = "response.output_item.done";
        let index = self.items.len();
        self.events.push(format!(
            "event: {kind}\ndata: {{\"type\":\"{kind}\",\"output_index\":{index},\
             \"item\":{item}}}\n\n"
        ));
        self.items.push(item);
    }

    fn push(&mut self, kind: &str, fields: &Value) {
        let data = with(fields, "type", kind);
        self.events.push(format!("event: {kind}\ndata: {data}\n\n"));
    }
}

/// JSON as nobody else would write it: blanks inside the outer braces, slashes escaped.
fn oddly(item: &Value) -> String {
    let text = item.to_string().replace('/', "\\/");
    let fields = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    format!("{{ {} }}", fields.unwrap_or_default())
}

/// `object` with one more field.
fn with(object: &Value, name: &str, text: &str) -> Value {
    let mut object = object.clone();
    object[name] = text.into();
    object
}

/// Small pieces, as a model would send them: each word with the blanks or line end behind it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive([' ', '\n'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(event: &str) -> Value {
        let (_, data) = event.split_once("\ndata: ").unwrap();
        serde_json::from_str(data.strip_suffix("\n\n").unwrap()).unwrap()
    }

    #[test]
    fn every_event_is_one_line_of_json_that_names_its_kind() {
        let mut stream = Stream::begin(1);
        stream.think("two words");
        stream.say("a\nb \"c\"");
        stream.call("call_1", "bash", r#"{"command":"true"}"#);
        stream.call_freeform("call_2", "apply_patch", "*** Begin\n*** End\n");
        let answer = stream.complete(400, 40);
        for event in &answer.events {
            let kind = event.strip_prefix("event: ").unwrap();
            let (kind, _) = kind.split_once('\n').unwrap();
            assert_eq!(data(event)["type"], kind);
            assert_eq!(event.lines().count(), 3, "{event}");
        }
        let last = data(answer.events.last().unwrap());
        assert_eq!(last["response"]["usage"]["input_tokens"], 100);
        assert_eq!(last["response"]["output"].as_array().unwrap().len(), 4);
    }

    #[test]
    fn deltas_add_up_to_the_item_and_the_item_is_carried_as_it_stands() {
        let text = "one  two\nthree";
        let mut stream = Stream::begin(1);
        stream.say(text);
        let answer = stream.complete(0, 0);
        let deltas: String = answer
            .events
            .iter()
            .map(|event| data(event))
            .filter(|data| data["type"] == "response.output_text.delta")
            .map(|data| data["delta"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(deltas, text);
        let item: Value = serde_json::from_str(&answer.items[0]).unwrap();
        assert_eq!(item["content"][0]["text"], text);
        let carrying = |event: &&String| event.contains(answer.items[0].as_str());
        assert_eq!(answer.events.iter().filter(carrying).count(), 2);
    }
}
