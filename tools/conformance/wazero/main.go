// The golden script of ../script.ts on wazero: golden interpreter|compiler < script.json
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"runtime/debug"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

type script struct {
	Module  string
	Weights *string
	Steps   []step
}

type step struct {
	Do                string
	Function          string
	Arguments         []int32
	Count             int
	Temperature, TopP float32
	TopK              int32
	Tokens            []int32
	From, To          json.RawMessage // of a region names, of a refit numbers
	PseudoCounts      float32
	Step              float32
	Beyond            uint32
	Every, Vocabulary uint32 // of a restricted generate; 0: every token may be drawn
}

type answer map[string]any

var ctx = context.Background()

func main() {
	var given script
	check(json.NewDecoder(os.Stdin).Decode(&given))
	device := start(given, os.Args[1])
	lines := json.NewEncoder(os.Stdout)
	check(lines.Encode(map[string]string{"version": version()}))
	for _, step := range given.Steps {
		begin := time.Now()
		line := device.answer(step)
		line["seconds"] = time.Since(begin).Seconds()
		check(lines.Encode(line))
	}
}

type device struct{ api.Module }

func start(given script, engine string) device {
	config := map[string]func() wazero.RuntimeConfig{
		"interpreter": wazero.NewRuntimeConfigInterpreter,
		"compiler":    wazero.NewRuntimeConfigCompiler,
	}[engine]
	runtime := wazero.NewRuntimeWithConfig(ctx, config())
	if given.Weights != nil {
		weights, err := os.ReadFile(*given.Weights)
		check(err)
		read := func(_ context.Context, module api.Module, offset, destination, bytes uint32) int32 {
			if !module.Memory().Write(destination, weights[offset:offset+bytes]) {
				return 0
			}
			return int32(bytes)
		}
		_, err = runtime.NewHostModuleBuilder("saffu").NewFunctionBuilder().WithFunc(read).Export("read").Instantiate(ctx)
		check(err)
	}
	bytes, err := os.ReadFile(given.Module)
	check(err)
	module, err := runtime.Instantiate(ctx, bytes)
	check(err)
	return device{module}
}

func (device device) answer(step step) answer {
	switch step.Do {
	case "call":
		values := make([]uint64, len(step.Arguments))
		for i, value := range step.Arguments {
			values[i] = api.EncodeI32(value)
		}
		results := device.call(step.Function, values...)
		if len(results) == 0 {
			return answer{"values": []int64{}}
		}
		return answer{"values": []int64{int64(api.DecodeI32(results[0]))}}
	case "generate":
		tokens := make([]int64, step.Count)
		temperature, topK, topP := api.EncodeF32(step.Temperature), api.EncodeI32(step.TopK), api.EncodeF32(step.TopP)
		for i := range tokens {
			if step.Every > 1 {
				device.call("predict")
				probabilities := device.address(json.RawMessage(`"PROBABILITIES"`))
				for token := uint32(0); token < step.Vocabulary; token++ {
					if token%step.Every > 0 && !device.Memory().WriteFloat32Le(probabilities+4*token, -1) {
						panic("probabilities beyond memory")
					}
				}
			}
			token := device.call("sample", temperature, topK, topP)[0]
			device.call("append", token)
			tokens[i] = int64(api.DecodeI32(token))
		}
		return answer{"values": tokens}
	case "each":
		bits := make([]int64, len(step.Tokens))
		for i, token := range step.Tokens {
			bits[i] = int64(uint32(device.call(step.Function, api.EncodeI32(token))[0]))
		}
		return answer{"values": bits}
	case "refit":
		var from, to int32
		check(json.Unmarshal(step.From, &from))
		check(json.Unmarshal(step.To, &to))
		code := device.call("refit", api.EncodeI32(from), api.EncodeI32(to), api.EncodeF32(step.PseudoCounts), api.EncodeF32(step.Step))
		return answer{"values": []int64{int64(api.DecodeI32(code[0]))}}
	case "region":
		from := device.address(step.From)
		region, ok := device.Memory().Read(from, device.address(step.To)+step.Beyond-from)
		if !ok {
			panic("a region beyond memory")
		}
		digest := fnv.New64a()
		digest.Write(region)
		return answer{"digest": fmt.Sprintf("%016x", digest.Sum64())}
	}
	panic("no step " + step.Do)
}

func (device device) call(name string, values ...uint64) []uint64 {
	results, err := device.ExportedFunction(name).Call(ctx, values...)
	check(err)
	return results
}

func (device device) address(quoted json.RawMessage) uint32 {
	var name string
	check(json.Unmarshal(quoted, &name))
	return uint32(device.ExportedGlobal(name).Get())
}

// version is that of the wazero that go.mod pins.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/tetratelabs/wazero" {
				return module.Version[1:]
			}
		}
	}
	return "unknown"
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
