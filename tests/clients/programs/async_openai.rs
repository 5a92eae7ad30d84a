use async_openai::types::chat::{
    ChatCompletionRequestUserMessageArgs, CreateChatCompletionRequest, CreateChatCompletionRequestArgs,
};
use async_openai::Client;
use futures::StreamExt;
use serde_json::{json, Value};

type Error = Box<dyn std::error::Error>;

fn request(text: &str) -> Result<CreateChatCompletionRequest, Error> {
    let message = ChatCompletionRequestUserMessageArgs::default().content(text).build()?;
    Ok(CreateChatCompletionRequestArgs::default().model("gpt-oss").messages([message.into()]).build()?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let client = Client::new();
    let question = request("What is the capital of Peru?")?;
    match std::env::args().nth(1).as_deref() {
        Some("plain") => {
            let answer = client.chat().create(question).await?;
            println!("{}", answer.choices[0].message.content.as_deref().unwrap_or(""));
        }
        Some("stream") => {
            let mut stream = client.chat().create_stream(question).await?;
            while let Some(chunk) = stream.next().await {
                for choice in chunk?.choices {
                    print!("{}", choice.delta.content.unwrap_or_default());
                }
            }
        }
        Some("tools") => {
            let mut body = serde_json::to_value(request("What is the weather in Oslo?")?)?;
            body["tools"] = json!([{"type": "function", "function": {
                "name": "get_weather",
                "description": "The weather in a city",
                "parameters": {
                    "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]
                }
            }}]);
            let request: CreateChatCompletionRequest = serde_json::from_value(body.clone())?;
            let message = serde_json::to_value(&client.chat().create(request).await?.choices[0].message)?;
            let call = &message["tool_calls"][0];
            let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap())?;
            let result = format!("Sunny in {}", arguments["city"].as_str().unwrap());
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(json!({"role": "assistant", "tool_calls": message["tool_calls"]}));
            messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": result}));
            let answer = client.chat().create(serde_json::from_value(body)?).await?;
            println!("{}", answer.choices[0].message.content.as_deref().unwrap_or(""));
        }
        Some("structured") => {
            let mut body = serde_json::to_value(request("Invent a dog")?)?;
            body["response_format"] = json!({"type": "json_schema", "json_schema": {
                "name": "dog",
                "strict": true,
                "schema": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                    "required": ["name", "age"],
                    "additionalProperties": false
                }
            }});
            let answer = client.chat().create(serde_json::from_value(body)?).await?;
            let dog: Value = serde_json::from_str(answer.choices[0].message.content.as_deref().unwrap())?;
            println!("{} {}", dog["name"].as_str().unwrap(), dog["age"]);
        }
        _ => return Err("no such case".into()),
    }
    Ok(())
}
