import dev.langchain4j.agent.tool.Tool;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.openai.OpenAiChatModel;
import dev.langchain4j.model.openai.OpenAiStreamingChatModel;
import dev.langchain4j.service.AiServices;
import java.util.concurrent.CompletableFuture;

public class Langchain4j {
    record Dog(String name, int age) {}

    interface Kennel {
        Dog ask(String text);
    }

    interface Assistant {
        String ask(String text);
    }

    static class Weather {
        @Tool("The weather in a city")
        String get_weather(String city) {
            return "Sunny in " + city;
        }
    }

    static OpenAiChatModel.OpenAiChatModelBuilder model() {
        return OpenAiChatModel.builder()
            .baseUrl(System.getenv("OPENAI_BASE_URL"))
            .apiKey("any")
            .modelName("gpt-oss")
            .returnThinking(true);
    }

    static void stream(String question) {
        var model = OpenAiStreamingChatModel.builder()
            .baseUrl(System.getenv("OPENAI_BASE_URL"))
            .apiKey("any")
            .modelName("gpt-oss")
            .build();
        var done = new CompletableFuture<Void>();
        model.chat(question, new StreamingChatResponseHandler() {
            @Override
            public void onPartialResponse(String text) {
                System.out.print(text);
            }

            @Override
            public void onCompleteResponse(ChatResponse response) {
                done.complete(null);
            }

            @Override
            public void onError(Throwable error) {
                done.completeExceptionally(error);
            }
        });
        done.join();
    }

    public static void main(String[] arguments) {
        var question = "What is the capital of Peru?";
        switch (arguments[0]) {
            case "plain" -> System.out.println(model().build().chat(question));
            case "stream" -> stream(question);
            case "tools" -> {
                var assistant = AiServices.builder(Assistant.class)
                    .chatModel(model().build())
                    .tools(new Weather())
                    .build();
                System.out.println(assistant.ask("What is the weather in Oslo?"));
            }
            case "structured" -> {
                var model = model()
                    .supportedCapabilities(Capability.RESPONSE_FORMAT_JSON_SCHEMA)
                    .strictJsonSchema(true)
                    .build();
                var dog = AiServices.create(Kennel.class, model).ask("Invent a dog");
                System.out.println(dog.name() + " " + dog.age());
            }
            case "reasoning" ->
                System.out.println(model().build().chat(UserMessage.from(question)).aiMessage().thinking());
        }
    }
}
