# What every file of a workspace can call. Names with an underscore are functions of the loader.
# Attributes go there as one JSON text: to have each value translated takes three times as long.

PLAIN = ["string", "list", "dict", "int", "bool", "NoneType", "tuple", "float"]

def label_text(value):
    if type(value) == "struct" and hasattr(value, "canonical_"):
        return value.canonical_
    return str(value)

def print(*args, sep = " "):
    _print(sep.join([label_text(arg) for arg in args]))

def glob(include = [], exclude = [], exclude_directories = 1, allow_empty = True):
    return _glob(include, exclude, exclude_directories, allow_empty)

def subpackages(include, exclude = [], allow_empty = False):
    return _subpackages(include, exclude, allow_empty)

def select(x, no_match_error = ""):
    values = list(x.values())
    at = _choose([label_text(key) for key in x.keys()], no_match_error)
    if type(at) == "int":
        return values[at]

    # Only a target that has the value cannot be made.
    kind = type(values[0]) if values else "NoneType"
    return [at] if kind == "list" else {at: at} if kind == "dict" else at

def _label_of(parts):
    return struct(**parts)

def Label(input):
    return _label_of(_label(label_text(input), call_stack()))

def package_relative_label(input):
    return _label_of(_label(label_text(input), ""))

def depset(direct = None, order = "default", transitive = None, items = None):
    seen = {}
    for more in transitive or []:
        for item in more.to_list():
            seen[item] = None
    for item in direct or items or []:
        seen[item] = None
    found = list(seen.keys())
    return struct(to_list = lambda: found)

def package(**kwargs):
    _package(kwargs)

def package_group(name, packages = [], includes = []):
    _package_group(name, packages, includes, call_stack())

def exports_files(srcs, visibility = None, licenses = None):
    _exports_files(srcs, visibility)

def licenses(license_types):
    pass

def distribs(distrib_strings):
    pass

def environment_group(**kwargs):
    pass

def existing_rule(name):
    return _existing_rules().get(name)

def existing_rules():
    return _existing_rules()

def package_name():
    return _package_name()

def repository_name():
    return _repository_name()

def repo_name():
    return _repository_name().lstrip("@")

def module_name():
    return _module_name()

def module_version():
    return _module_version()

def workspace(name, managed_directories = None):
    _workspace(name)

def bind(name, actual = None, **kwargs):
    _bind(name, actual)

def nothing(*args, **kwargs):
    return None

# What a project defines itself is loaded, and refused when something needs it.

def foreign(what):
    def made(*args, **kwargs):
        return _foreign(
            what,
            call_stack(),
            [label_text(arg) for arg in args if type(arg) in ("string", "struct")],
            {key: value for key, value in kwargs.items() if type(value) in PLAIN},
        )

    return made

def foreign_struct(what, names):
    return struct(**{name: foreign(what + "." + name) for name in names})

def rule(*args, **kwargs):
    return foreign(_defined(call_stack()))

def provider(*args, **kwargs):
    def made(*args, **fields):
        return struct(**fields)

    return (made, made) if "init" in kwargs else made

def toolchain_value(*args, **kwargs):
    return struct(**{key: value for key, value in kwargs.items() if type(value) in PLAIN})

def _attribute(otherwise):
    return lambda default = otherwise, **kwargs: struct(default = default)

# Functions that make schemas: of attributes, of configurations, of tags.
attr = struct(
    bool = _attribute(False),
    int = _attribute(0),
    int_list = _attribute([]),
    label = _attribute(None),
    label_keyed_string_dict = _attribute({}),
    label_list = _attribute([]),
    label_list_dict = _attribute({}),
    output = _attribute(None),
    output_list = _attribute([]),
    string = _attribute(""),
    string_dict = _attribute({}),
    string_keyed_label_dict = _attribute({}),
    string_list = _attribute([]),
    string_list_dict = _attribute({}),
)

def macro(implementation, attrs = {}, **kwargs):
    defaults = {name: each.default for name, each in attrs.items() if each != None}

    def made(name, visibility = None, **given):
        values = dict(defaults)
        values.update(given)
        implementation(name = name, visibility = visibility, **values)

    return made

config = struct(
    bool = nothing,
    exec = nothing,
    int = nothing,
    none = nothing,
    string = nothing,
    string_list = nothing,
    string_set = nothing,
    target = nothing,
)

config_common = struct(
    FeatureFlagInfo = nothing,
    config_feature_flag_transition = nothing,
    toolchain_type = nothing,
)

platform_common = struct(
    ConstraintSettingInfo = nothing,
    ConstraintValueInfo = nothing,
    PlatformInfo = nothing,
    TemplateVariableInfo = nothing,
    ToolchainInfo = toolchain_value,
)

testing = struct(
    ExecutionInfo = nothing,
    TestEnvironment = nothing,
    analysis_test = nothing,
)

coverage_common = struct(instrumented_files_info = nothing)
proto_common = struct()
cc_common = struct(
    CcToolchainInfo = nothing,
    create_compilation_context = nothing,
    do_not_use_tools_cpp_compiler_present = True,
)
java_common = struct(
    JavaRuntimeInfo = nothing,
    JavaToolchainInfo = nothing,
    provider = nothing,
)
apple_common = struct(
    multi_arch_split = nothing,
    platform_type = nothing,
)

# MODULE.bazel.

def module(name = "", version = "", compatibility_level = 0, repo_name = "", bazel_compatibility = []):
    _module(name, repo_name)

def bazel_dep(name, version = "", max_compatibility_level = -1, repo_name = "", **kwargs):
    _bazel_dep(name, repo_name)

def local_path_override(module_name, path):
    _local_path_override(module_name, path, call_stack())

def _override(key, module_name, attributes):
    attributes["name"] = module_name
    _override_module(key, call_stack(), json.encode(attributes))

def git_override(module_name, **kwargs):
    _override("git_repository", module_name, kwargs)

def archive_override(module_name, **kwargs):
    _override("http_archive", module_name, kwargs)

def _tag(extension, tag):
    def called(**kwargs):
        _tagged(extension, tag, call_stack(), json.encode(kwargs))

    return called

def use_extension(extension_bzl_file, extension_name, **kwargs):
    id = label_text(extension_bzl_file) + "%" + extension_name
    tags = {tag: _tag(id, tag) for tag in _tag_names()}
    return struct(extension_ = id, **tags)

def use_repo(extension_proxy, *args, **kwargs):
    _use_repo(extension_proxy.extension_, list(args), kwargs, call_stack())

def use_repo_rule(repo_rule_bzl_file, repo_rule_name):
    key = _repository_rule(label_text(repo_rule_bzl_file), repo_rule_name)
    if not key:
        return foreign(label_text(repo_rule_bzl_file) + "%" + repo_rule_name)

    def called(**kwargs):
        _declare(key, call_stack(), json.encode(kwargs))

    return called

def include(label):
    _include(label)

def declare(key, stack, attributes):
    _declare(key, stack, attributes)
