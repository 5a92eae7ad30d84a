mkdir -p "$HOME/.pi/agent" work
cat > "$HOME/.pi/agent/models.json" <<END
{
  "providers": {
    "llm": {
      "baseUrl": "$OPENAI_BASE_URL",
      "api": "openai-completions",
      "apiKey": "any",
      "models": [{"id": "gpt-oss", "reasoning": true, "contextWindow": 65536, "maxTokens": 16384}]
    }
  }
}
END
cd work || exit 1
pi="../node_modules/.bin/pi --provider llm --model gpt-oss --thinking low --no-session --offline"
case $1 in
plain | stream)
    $pi --print "What is the capital of Peru?" ;;
tools)
    $pi --print "What is the weather in Oslo?" ;;
reasoning)
    $pi --mode json "What is the capital of Peru?" ;;
esac
