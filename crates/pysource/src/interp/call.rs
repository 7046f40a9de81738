//! Calls: the project's own functions are followed, FastAPI's are known, others are kept by name.

use std::rc::Rc;

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Decorator, Expr, ParameterWithDefault, Stmt, StmtFunctionDef};

use super::Interp;
use super::eval::WRITTEN_OUT;
use super::exec::Flow;
use super::value::{Function, Id, Keywords, ListKind, ScopeId, Value, last_part};

impl<'a> Interp<'a> {
    pub(crate) fn call(&mut self, callee: &Value, args: Vec<Value>, keywords: Keywords) -> Value {
        if !self.step() {
            return Value::Unknown;
        }
        self.deeper(Value::Unknown, |this| match callee {
            Value::Function(id) => this.call_function(*id, args, keywords),
            Value::Class(id) => this.instantiate(*id, args, keywords),
            Value::External(name) => this.call_external(&name.clone(), args, keywords),
            Value::Method(id) => {
                let method = this.heap.methods[*id].clone();
                this.call_method(&method.receiver, &method.name, args, keywords)
            }
            Value::Decorator(id) => this.register(*id, args),
            Value::Generic(id) => {
                let base = this.heap.generics[*id].base.clone();
                this.call(&base, args, keywords)
            }
            Value::Instance(id) => match this.class_attribute(this.heap.instances[*id].class, "__call__") {
                Some(method) => {
                    let bound = this.bind(&method, callee);
                    this.call(&bound, args, keywords)
                }
                None => Value::Unknown,
            },
            Value::Call(id) => this.call_result(*id, args, keywords),
            _ => this.call_unknown(args),
        })
    }

    /// Calling what a library's function gave: a partial, a decorator, or something that is not known.
    fn call_result(&mut self, id: Id, args: Vec<Value>, keywords: Keywords) -> Value {
        let made = self.heap.calls[id].clone();
        match last_part(&made.callee) {
            "partial" if made.callee.starts_with("functools.") => {
                let Some((function, first)) = made.args.split_first() else { return Value::Unknown };
                let args = first.iter().cloned().chain(args).collect();
                let keywords = made.keywords.iter().cloned().chain(keywords).collect();
                self.call(&function.clone(), args, keywords)
            }
            "lambda" if made.callee.as_ref() == WRITTEN_OUT => match &made.args[..] {
                [Value::List(id)] => {
                    let list = self.heap.lists[*id].clone();
                    self.heap.list(list.kind, list.items)
                }
                [Value::Dict(id)] => self.heap.dict(self.heap.dicts[*id].clone()),
                [given] => given.clone(),
                _ => Value::Unknown,
            },
            "wraps" | "update_wrapper" => match (made.args.first(), args.first()) {
                (Some(Value::Function(shown)), Some(Value::Function(wrapper))) => {
                    let mut function = self.heap.functions[*wrapper].as_ref().clone();
                    function.shows = Some(*shown);
                    self.heap.function(function)
                }
                _ => args.into_iter().next().unwrap_or(Value::Unknown),
            },
            _ => match self.decorate_by_call(id, &args) {
                Some(value) => value,
                None => self.call_unknown(args),
            },
        }
    }

    /// Something unknown may do anything to a router that it is given.
    pub(super) fn call_unknown(&mut self, args: Vec<Value>) -> Value {
        if args.iter().any(|arg| matches!(arg, Value::Router(_))) {
            self.warn(
                "what is called here with the application or router cannot be followed: it may add routes",
            );
        }
        // A decorator that is not known keeps the signature, as functools.wraps does.
        match <[Value; 1]>::try_from(args) {
            Ok([value @ (Value::Function(_) | Value::Class(_))]) => value,
            _ => Value::Unknown,
        }
    }

    pub(super) fn call_with_unknown_arguments(&mut self, callee: &Value) -> Value {
        let touches_router = match callee {
            Value::Method(id) => matches!(self.heap.methods[*id].receiver, Value::Router(_)),
            Value::Decorator(_) => true,
            _ => false,
        };
        if touches_router {
            self.warn("the arguments of this call cannot be known, and neither what it adds");
        }
        match callee {
            Value::Class(id) => self.instantiate(*id, Vec::new(), Keywords::new()),
            Value::External(name) if self.is_router_class(name) => {
                self.warn("the arguments of this call cannot be known: routes of the router are not listed");
                let router = self.call_external(&name.clone(), Vec::new(), Keywords::new());
                if let Value::Router(id) = router {
                    self.heap.routers[id].context.is_lost = !self.heap.routers[id].is_app;
                }
                router
            }
            _ => Value::Unknown,
        }
    }

    pub(super) fn call_function(&mut self, id: Id, args: Vec<Value>, keywords: Keywords) -> Value {
        let function = self.heap.functions[id].clone();
        if function.def.is_async {
            return Value::Unknown;
        }
        let scope = self.new_scope(Some(function.scope), function.module.clone(), function.owner);
        self.bind_parameters(&function, scope, args, keywords);
        if yields(&function.def.body) {
            return self.generator(&function, scope);
        }
        let before = self.here.clone();
        let flow = self.block(&function.def.body, scope);
        self.here = before;
        match flow {
            Flow::Return(value) => value,
            Flow::Raise => {
                self.raised = None;
                Value::Unknown
            }
            _ => Value::None,
        }
    }

    fn bind_parameters(
        &mut self,
        function: &Function<'a>,
        scope: ScopeId,
        args: Vec<Value>,
        keywords: Keywords,
    ) {
        let parameters = &function.def.parameters;
        let mut args = function.receiver.iter().cloned().chain(args);
        let mut keywords = keywords;
        let mut take = |this: &mut Self, parameter: &'a ParameterWithDefault, positional: Option<Value>| {
            let name = parameter.parameter.name.as_str();
            let by_name = keywords.iter().position(|(key, _)| key.as_ref() == name);
            let value = match (positional, by_name) {
                (Some(value), _) => value,
                (None, Some(index)) => keywords.remove(index).1,
                (None, None) => {
                    parameter.default.as_deref().map_or(Value::Unknown, |d| this.eval(d, function.signature))
                }
            };
            this.set(scope, name, value);
        };
        for parameter in parameters.posonlyargs.iter().chain(&parameters.args) {
            let positional = args.next();
            take(self, parameter, positional);
        }
        for parameter in &parameters.kwonlyargs {
            take(self, parameter, None);
        }
        if let Some(rest) = &parameters.vararg {
            let items = args.collect();
            let tuple = self.tuple(items);
            self.set(scope, &rest.name, tuple);
        }
        if let Some(rest) = &parameters.kwarg {
            let items = keywords.into_iter().map(|(key, value)| (Value::Str(key), value)).collect();
            let dict = self.heap.dict(items);
            self.set(scope, &rest.name, dict);
        }
    }

    /// A generator over what is known: the values of the `yield` statements that are met in order.
    fn generator(&mut self, function: &Function<'a>, scope: ScopeId) -> Value {
        let mut items = Vec::new();
        for statement in &function.def.body {
            let Stmt::Expr(expr) = statement else {
                if yields(std::slice::from_ref(statement)) {
                    return Value::Unknown;
                }
                self.block(std::slice::from_ref(statement), scope);
                continue;
            };
            match expr.value.as_ref() {
                Expr::Yield(given) => {
                    let value = given.value.as_ref().map_or(Value::None, |value| self.eval(value, scope));
                    items.push(value);
                }
                other => {
                    self.eval(other, scope);
                }
            }
        }
        self.heap.list(ListKind::List, items)
    }

    pub(super) fn define_function(&mut self, def: &'a StmtFunctionDef, scope: ScopeId) {
        let mut function = Function {
            def,
            scope,
            signature: if self.rounds > 0 { self.as_it_is(scope) } else { scope },
            module: self.module_of(scope),
            receiver: None,
            owner: self.scopes[scope].owner.filter(|_| self.scopes[scope].is_class),
            shows: None,
            attributes: Keywords::new(),
            is_property: false,
            is_static: false,
            is_class_method: false,
        };
        let decorators: Vec<(&Decorator, Value)> = def
            .decorator_list
            .iter()
            .map(|decorator| (decorator, self.eval(&decorator.expression, scope)))
            .collect();
        for (_, decorator) in &decorators {
            let Value::External(name) = decorator else { continue };
            match last_part(name) {
                "property" | "cached_property" | "computed_field" | "hybrid_property" => {
                    function.is_property = true;
                }
                "staticmethod" => function.is_static = true,
                "classmethod" => function.is_class_method = true,
                _ => {}
            }
        }
        let mut value = self.heap.function(function);
        for (node, decorator) in decorators.iter().rev() {
            let place = self.place(scope, *node);
            let before = std::mem::replace(&mut self.here, place);
            value = self.decorate(decorator, value);
            self.here = before;
        }
        self.set(scope, &def.name, value);
    }

    /// What a decorator makes of a function or class; one that is not known leaves it as it is.
    pub(super) fn decorate(&mut self, decorator: &Value, value: Value) -> Value {
        match decorator {
            Value::Unknown | Value::External(_) => value,
            Value::Method(id) => {
                let method = self.heap.methods[*id].clone();
                match &method.receiver {
                    Value::Router(_) => {
                        self.call_method(&method.receiver, &method.name, vec![value], Vec::new())
                    }
                    _ => value,
                }
            }
            Value::Call(_) => {
                self.mark(&value, decorator);
                match self.call(decorator, vec![value.clone()], Vec::new()) {
                    Value::Unknown => value,
                    made => made,
                }
            }
            _ => match self.call(decorator, vec![value.clone()], Vec::new()) {
                Value::Unknown => value,
                made => made,
            },
        }
    }

    fn mark(&mut self, value: &Value, decorator: &Value) {
        if let Value::Function(id) = value {
            self.marks.entry(*id).or_default().push(decorator.clone());
        }
    }

    /// The function as a method of `receiver`.
    pub(super) fn bind(&mut self, value: &Value, receiver: &Value) -> Value {
        let Value::Function(id) = value else { return value.clone() };
        let mut function = self.heap.functions[*id].as_ref().clone();
        if function.is_static {
            return value.clone();
        }
        function.receiver = match receiver {
            Value::Instance(instance) if function.is_class_method => {
                Some(Value::Class(self.heap.instances[*instance].class))
            }
            other => Some(other.clone()),
        };
        let marks = self.marks.get(id).cloned();
        let bound = self.heap.function(function);
        if let (Value::Function(bound), Some(marks)) = (&bound, marks) {
            self.marks.insert(*bound, marks);
        }
        bound
    }

    /// `super()` inside a method: its class and its receiver.
    pub(super) fn super_of(&mut self, scope: ScopeId) -> Value {
        let (mut at, mut owner) = (Some(scope), None);
        let mut method_scope = scope;
        while let Some(id) = at {
            if let Some(class) = self.scopes[id].owner {
                owner = Some(class);
                method_scope = id;
                break;
            }
            at = self.scopes[id].parent;
        }
        let receiver =
            self.own_name(method_scope, "self").or_else(|| self.own_name(method_scope, "cls")).cloned();
        match (owner, receiver) {
            (Some(class), Some(receiver)) => {
                self.heap.call("builtins.super", vec![Value::Class(class), receiver], Vec::new())
            }
            _ => Value::Unknown,
        }
    }

    /// `globals()`: what the module has bound so far.
    pub(super) fn names_of(&mut self, scope: ScopeId) -> Value {
        let module = self.module_scope(scope);
        self.scopes[module].open = true;
        self.charge(self.scopes[module].names.len());
        let mut names: Vec<(Value, Value)> = self.scopes[module]
            .names
            .iter()
            .map(|(name, value)| (Value::Str(name.clone()), value.clone()))
            .collect();
        names.sort_by(|(left, _), (right, _)| left.as_str().cmp(&right.as_str()));
        self.heap.dict(names)
    }

    /// The function whose name, documentation and parameters are shown.
    pub(crate) fn shown(&self, id: Id) -> Rc<Function<'a>> {
        let mut function = self.heap.functions[id].clone();
        for _ in 0..16 {
            let Some(next) = function.shows else { break };
            function = self.heap.functions[next].clone();
        }
        function
    }
}

/// Whether a body, functions in it aside, yields.
pub(crate) fn yields(body: &[Stmt]) -> bool {
    struct Finder(bool);
    impl<'a> Visitor<'a> for Finder {
        fn visit_stmt(&mut self, stmt: &'a Stmt) {
            if !matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_)) {
                ruff_python_ast::visitor::walk_stmt(self, stmt);
            }
        }
        fn visit_expr(&mut self, expr: &'a Expr) {
            self.0 |= matches!(expr, Expr::Yield(_) | Expr::YieldFrom(_));
            walk_expr(self, expr);
        }
    }
    let mut finder = Finder(false);
    finder.visit_body(body);
    finder.0
}
