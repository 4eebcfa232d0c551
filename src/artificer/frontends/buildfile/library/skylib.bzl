# What projects use of bazel_skylib, and of Bazel's own helpers, written anew.

def _join(path, *others):
    result = path
    for part in others:
        if part.startswith("/"):
            result = part
        elif result == "" or result.endswith("/"):
            result += part
        else:
            result += "/" + part
    return result

def _basename(path):
    return path.rpartition("/")[-1]

def _dirname(path):
    head, slash, _ = path.rpartition("/")
    return head.rstrip("/") or slash if slash else ""

def _split_extension(path):
    base = _basename(path)
    dot = base.rfind(".")
    if dot <= 0:
        return (path, "")
    cut = len(base) - dot
    return (path[:len(path) - cut], base[dot:])

def _replace_extension(path, extension):
    return _split_extension(path)[0] + extension

def _is_absolute(path):
    return path.startswith("/")

def _is_normalized(path):
    return path == _normalize(path)

def _normalize(path):
    root = "/" if path.startswith("/") else ""
    parts = []
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".." or not root:
            parts.append(part)
    return root + "/".join(parts) or "."

def _relativize(path, start):
    path, start = _normalize(path), _normalize(start)
    if start == ".":
        return path
    if path == start:
        return "."
    if not path.startswith(start + "/"):
        fail("Path '%s' is not beneath '%s'" % (path, start))
    return path[len(start) + 1:]

def _starts_with(path, start):
    path, start = _normalize(path), _normalize(start)
    return start == "." or path == start or path.startswith(start.rstrip("/") + "/")

paths = struct(
    basename = _basename,
    dirname = _dirname,
    is_absolute = _is_absolute,
    is_normalized = _is_normalized,
    join = _join,
    normalize = _normalize,
    relativize = _relativize,
    replace_extension = _replace_extension,
    split_extension = _split_extension,
    starts_with = _starts_with,
)

def _add(*dictionaries, **kwargs):
    result = {}
    for each in dictionaries:
        result.update(each)
    result.update(kwargs)
    return result

def _omit(dictionary, keys):
    return {key: value for key, value in dictionary.items() if key not in keys}

def _pick(dictionary, keys, strict = True):
    if strict:
        return {key: dictionary[key] for key in keys}
    return {key: dictionary[key] for key in keys if key in dictionary}

dicts = struct(add = _add, omit = _omit, pick = _pick)

def _quote(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _array_literal(items):
    return "(" + " ".join([_quote(item) for item in items]) + ")"

shell = struct(array_literal = _array_literal, quote = _quote)

def _before_each(separator, items):
    result = []
    for item in items:
        result += [separator, item]
    return result

def _uniq(items):
    return list({item: None for item in items}.keys())

def _after_each(separator, items):
    result = []
    for item in items:
        result += [item, separator]
    return result

collections = struct(after_each = _after_each, before_each = _before_each, uniq = _uniq)

def _is(*names):
    return lambda value: type(value) in names

types = struct(
    is_bool = _is("bool"),
    is_depset = lambda value: type(value) == "struct" and hasattr(value, "to_list"),
    is_dict = _is("dict"),
    is_file = _is("File"),
    is_function = _is("function"),
    is_int = _is("int"),
    is_list = _is("list"),
    is_none = _is("NoneType"),
    is_set = _is("set"),
    is_string = _is("string"),
    is_tuple = _is("tuple"),
)

def _parse(text):
    numbers = []
    for part in text.split("-")[0].split(" ")[0].split("."):
        digits = ""
        for character in part.elems():
            if not character.isdigit():
                break
            digits += character
        numbers.append(int(digits) if digits else 0)
    return tuple(numbers)

versions = struct(
    check = lambda *args, **kwargs: None,
    get = lambda: "",
    is_at_least = lambda threshold, version: not version or _parse(version) >= _parse(threshold),
    is_at_most = lambda threshold, version: bool(version) and _parse(version) <= _parse(threshold),
    parse = _parse,
)

def _with_or_dict(conditions):
    result = {}
    for keys, value in conditions.items():
        for key in keys if type(keys) == "tuple" else (keys,):
            if key in result:
                fail("key %s appears multiple times" % key)
            result[key] = value
    return result

def _with_or(conditions, no_match_error = ""):
    return select(_with_or_dict(conditions), no_match_error = no_match_error)

def _config_setting_group(name, match_any = [], match_all = [], visibility = None):
    native.config_setting_group(
        name = name,
        match_any = match_any,
        match_all = match_all,
        visibility = visibility,
    )

selects = struct(
    config_setting_group = _config_setting_group,
    with_or = _with_or,
    with_or_dict = _with_or_dict,
)

def _make(function, *args, **kwargs):
    return struct(function = function, args = args, kwargs = kwargs)

def _call(partial, *args, **kwargs):
    return partial.function(*(partial.args + args), **_add(partial.kwargs, kwargs))

partial = struct(call = _call, make = _make, is_instance = lambda value: hasattr(value, "function"))

def _to_dict(value):
    return {key: getattr(value, key) for key in dir(value)}

structs = struct(to_dict = _to_dict)

def maybe(repo_rule, name, **kwargs):
    if not native.existing_rule(name):
        repo_rule(name = name, **kwargs)

# Of rules_pkg: https://github.com/bazelbuild/rules_pkg/blob/main/pkg/mappings.bzl

REMOVE_BASE_DIRECTORY = "\0"

strip_prefix = struct(
    files_only = lambda: ".",
    from_pkg = lambda path = "": path.removeprefix("/"),
    from_root = lambda path = "": "/" + path.removeprefix("/"),
)

def pkg_attributes(mode = None, user = None, group = None, **others):
    given = {"mode": mode, "user": user, "group": group}
    given.update(others)
    return json.encode({name: value for name, value in given.items() if value != None})

# tar.bzl: how the lines of an mtree are changed; the rule reads it.
def mutate(**kwargs):
    return kwargs
