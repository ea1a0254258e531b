//! The golden script of ../script.ts on wasmi: golden < script.json
use std::error::Error;
use std::{fs, io, time::Instant};

use serde_json::{Value, json};
use wasmi::{Caller, Engine, Extern, Instance, Linker, Memory, Module, Store, Val};

/// What `saffu.read` reads.
type Host = Vec<u8>;
type Failure = Box<dyn Error>;

struct Device {
    store: Store<Host>,
    instance: Instance,
    memory: Memory,
}

impl Device {
    fn new(module: &[u8], weights: Host) -> Result<Device, Failure> {
        let engine = Engine::default();
        let mut store = Store::new(&engine, weights);
        let mut linker = <Linker<Host>>::new(&engine);
        linker.func_wrap("saffu", "read", read)?;
        let instance = linker.instantiate_and_start(&mut store, &Module::new(&engine, module)?)?;
        let memory = instance.get_memory(&store, "memory").ok_or("no memory")?;
        Ok(Device { store, instance, memory })
    }

    /// Calls an export; its result, if it has one, as 32 bits.
    fn call(&mut self, name: &str, values: &[Val]) -> Result<Option<u32>, Failure> {
        let function = self.instance.get_func(&self.store, name).ok_or_else(|| format!("no {name}"))?;
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, values, &mut results)?;
        match results.first() {
            None => Ok(None),
            Some(Val::I32(value)) => Ok(Some(*value as u32)),
            Some(Val::F32(value)) => Ok(Some(value.to_bits())),
            Some(_) => Err(format!("{name} answers neither i32 nor f32").into()),
        }
    }

    fn address(&self, name: &Value) -> Result<usize, Failure> {
        let name = name.as_str().ok_or("no name")?;
        let global = self.instance.get_global(&self.store, name).ok_or_else(|| format!("no {name}"))?;
        Ok(global.get(&self.store).i32().ok_or("not an address")? as u32 as usize)
    }

    fn answer(&mut self, step: &Value) -> Result<Value, Failure> {
        match step["do"].as_str() {
            Some("call") => {
                let name = step["function"].as_str().ok_or("no function")?;
                let values: Vec<Val> = list(&step["arguments"])?.iter().map(|&value| Val::I32(value as i32)).collect();
                let value = self.call(name, &values)?.map(|value| value as i32);
                Ok(json!({ "values": value.into_iter().collect::<Vec<i32>>() }))
            }
            Some("generate") => {
                let options = [f32_of(&step["temperature"])?, i32_of(&step["topK"])?, f32_of(&step["topP"])?];
                let every = step["every"].as_u64().unwrap_or(1) as usize;
                let vocabulary = step["vocabulary"].as_u64().unwrap_or(0) as usize;
                let mut tokens = Vec::new();
                for _ in 0..step["count"].as_u64().ok_or("no count")? {
                    if every > 1 {
                        self.call("predict", &[])?;
                        let probabilities = self.address(&json!("PROBABILITIES"))?;
                        for token in (0..vocabulary).filter(|token| token % every > 0) {
                            self.memory.write(&mut self.store, probabilities + 4 * token, &(-1f32).to_le_bytes())?;
                        }
                    }
                    let token = self.call("sample", &options)?.ok_or("no token")? as i32;
                    self.call("append", &[Val::I32(token)])?;
                    tokens.push(token);
                }
                Ok(json!({ "values": tokens }))
            }
            Some("each") => {
                let name = step["function"].as_str().ok_or("no function")?;
                let mut values = Vec::new();
                for token in list(&step["tokens"])? {
                    values.push(self.call(name, &[Val::I32(token as i32)])?.ok_or("no surprisal")?);
                }
                Ok(json!({ "values": values }))
            }
            Some("refit") => {
                let rows = [i32_of(&step["from"])?, i32_of(&step["to"])?];
                let options = [f32_of(&step["pseudoCounts"])?, f32_of(&step["step"])?];
                let code = self.call("refit", &[rows, options].concat())?.ok_or("no code")? as i32;
                Ok(json!({ "values": [code] }))
            }
            Some("region") => {
                let end = self.address(&step["to"])? + step["beyond"].as_u64().ok_or("no beyond")? as usize;
                let region = &self.memory.data(&self.store)[self.address(&step["from"])?..end];
                Ok(json!({ "digest": format!("{:016x}", fnv(region)) }))
            }
            _ => Err(format!("no step {step}").into()),
        }
    }
}

fn read(mut caller: Caller<Host>, offset: u32, destination: u32, bytes: u32) -> i32 {
    let Some(Extern::Memory(memory)) = caller.get_export("memory") else { return 0 };
    let (data, weights) = memory.data_and_store_mut(&mut caller);
    let (offset, destination, length) = (offset as usize, destination as usize, bytes as usize);
    data[destination..destination + length].copy_from_slice(&weights[offset..offset + length]);
    bytes as i32
}

fn list(value: &Value) -> Result<Vec<i64>, Failure> {
    let values = value.as_array().ok_or("no list")?;
    Ok(values.iter().filter_map(Value::as_i64).collect())
}

fn i32_of(value: &Value) -> Result<Val, Failure> {
    Ok(Val::I32(value.as_i64().ok_or("no integer")? as i32))
}

fn f32_of(value: &Value) -> Result<Val, Failure> {
    Ok(Val::F32((value.as_f64().ok_or("no number")? as f32).into()))
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf29ce484222325, |digest, &byte| (digest ^ u64::from(byte)).wrapping_mul(0x100000001b3))
}

/// Of the wasmi that Cargo.lock pins.
fn version() -> &'static str {
    let pinned = include_str!("../Cargo.lock").split("name = \"wasmi\"\nversion = \"").nth(1);
    pinned.and_then(|rest| rest.split('"').next()).unwrap_or("unknown")
}

fn main() -> Result<(), Failure> {
    let script: Value = serde_json::from_reader(io::stdin())?;
    let weights = script["weights"].as_str().map(fs::read).transpose()?.unwrap_or_default();
    let mut device = Device::new(&fs::read(script["module"].as_str().ok_or("no module")?)?, weights)?;
    println!("{}", json!({ "version": version() }));
    for step in script["steps"].as_array().ok_or("no steps")? {
        let start = Instant::now();
        let mut answer = device.answer(step)?;
        answer["seconds"] = json!(start.elapsed().as_secs_f64());
        println!("{answer}");
    }
    Ok(())
}
