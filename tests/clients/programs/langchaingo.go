package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/tmc/langchaingo/llms"
	"github.com/tmc/langchaingo/llms/openai"
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func main() {
	ctx := context.Background()
	model := must(openai.New(openai.WithModel("gpt-oss")))
	question := "What is the capital of Peru?"
	switch os.Args[1] {
	case "plain":
		fmt.Println(must(llms.GenerateFromSinglePrompt(ctx, model, question)))
	case "stream":
		printing := llms.WithStreamingFunc(func(_ context.Context, chunk []byte) error {
			fmt.Print(string(chunk))
			return nil
		})
		must(llms.GenerateFromSinglePrompt(ctx, model, question, printing))
	case "tools":
		tools := llms.WithTools([]llms.Tool{{
			Type: "function",
			Function: &llms.FunctionDefinition{
				Name:        "get_weather",
				Description: "The weather in a city",
				Parameters: map[string]any{
					"type":       "object",
					"properties": map[string]any{"city": map[string]any{"type": "string"}},
					"required":   []string{"city"},
				},
			},
		}})
		messages := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, "What is the weather in Oslo?")}
		call := must(model.GenerateContent(ctx, messages, tools)).Choices[0].ToolCalls[0]
		var arguments struct{ City string }
		if err := json.Unmarshal([]byte(call.FunctionCall.Arguments), &arguments); err != nil {
			panic(err)
		}
		result := llms.ToolCallResponse{
			ToolCallID: call.ID, Name: "get_weather", Content: "Sunny in " + arguments.City,
		}
		messages = append(
			messages,
			llms.MessageContent{Role: llms.ChatMessageTypeAI, Parts: []llms.ContentPart{call}},
			llms.MessageContent{Role: llms.ChatMessageTypeTool, Parts: []llms.ContentPart{result}},
		)
		fmt.Println(must(model.GenerateContent(ctx, messages, tools)).Choices[0].Content)
	case "structured":
		answer := must(llms.GenerateFromSinglePrompt(ctx, model, "Invent a dog, as JSON", llms.WithJSONMode()))
		var dog struct {
			Name string
			Age  int
		}
		if err := json.Unmarshal([]byte(answer), &dog); err != nil {
			panic(err)
		}
		fmt.Println(dog.Name, dog.Age)
	case "reasoning":
		messages := []llms.MessageContent{llms.TextParts(llms.ChatMessageTypeHuman, question)}
		fmt.Println(must(model.GenerateContent(ctx, messages)).Choices[0].ReasoningContent)
	}
}
