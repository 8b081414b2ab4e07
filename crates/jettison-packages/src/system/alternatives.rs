//! `update-alternatives --install`: the links and the record of a group, as
//! update-alternatives(1) keeps them. The highest priority is chosen; of equal
//! ones the first.

use std::collections::BTreeMap;

use super::model::Model;

const RECORDS: &str = "/var/lib/dpkg/alternatives";
const LINKS: &str = "/etc/alternatives";

#[derive(Debug, Default)]
struct Group {
    link: String,
    /// Names of the links that follow, with where they are.
    slaves: BTreeMap<String, String>,
    /// By path: priority, and what the slaves lead to.
    choices: BTreeMap<String, (i64, BTreeMap<String, String>)>,
    /// In the order in which they came.
    order: Vec<String>,
}

/// Carries out the command; what was done. None where it is another one.
pub(super) fn install(model: &mut Model<'_>, arguments: &[&str]) -> Option<String> {
    let arguments: Vec<&str> = arguments
        .iter()
        .copied()
        .filter(|word| !matches!(*word, "--quiet" | "--force" | "--verbose"))
        .collect();
    let ["--install", link, name, path, priority, rest @ ..] = arguments.as_slice() else {
        return match arguments.as_slice() {
            // What is not there needs no removal.
            ["--remove", name, _] | ["--remove-all", name]
                if !model.exists(format!("{RECORDS}/{name}").as_bytes()) =>
            {
                Some(format!("no alternatives of {name}"))
            }
            _ => None,
        };
    };
    let priority: i64 = priority.parse().ok()?;
    let mut slaves = Vec::new();
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        if *word != "--slave" {
            return None;
        }
        slaves.push((*rest.next()?, *rest.next()?, *rest.next()?));
    }
    let is_plain = |text: &str| text.starts_with('/') && !text.contains('\n');
    let all = slaves.iter().flat_map(|(link, _, path)| [*link, *path]);
    let is_name = |text: &str| !text.is_empty() && !text.contains(['/', '\n', ' ']);
    if ![*link, *path].into_iter().chain(all).all(is_plain)
        || !is_name(name)
        || !slaves.iter().all(|(_, name, _)| is_name(name))
    {
        return None;
    }
    if !model.exists(path.as_bytes()) {
        // update-alternatives says so and fails; scripts go on.
        return Some(format!("no alternative {name}: there is no {path}"));
    }
    let record = format!("{RECORDS}/{name}");
    let mut group = model
        .read(record.as_bytes())
        .and_then(|text| parse(&String::from_utf8_lossy(&text)))
        .unwrap_or_default();
    group.link = (*link).to_owned();
    let mut own = BTreeMap::new();
    for (link, name, path) in slaves {
        group.slaves.insert(name.to_owned(), link.to_owned());
        own.insert(name.to_owned(), path.to_owned());
    }
    if group
        .choices
        .insert((*path).to_owned(), (priority, own))
        .is_none()
    {
        group.order.push((*path).to_owned());
    }
    let mut best: Option<(&String, i64)> = None;
    for path in &group.order {
        let priority = group.choices.get(path)?.0;
        if best.is_none_or(|(_, most)| priority > most) {
            best = Some((path, priority));
        }
    }
    let best = best?.0.clone();
    let chosen = group.choices.get(&best)?.1.clone();
    set(model, &group.link, name, &best);
    for (slave, link) in &group.slaves {
        match chosen
            .get(slave)
            .filter(|path| model.exists(path.as_bytes()))
        {
            Some(path) => set(model, link, slave, path),
            None => {
                let middle = format!("{LINKS}/{slave}");
                if model.find_link(middle.as_bytes()).is_some() {
                    model.remove(middle.as_bytes());
                    model.remove(link.as_bytes());
                }
            }
        }
    }
    model.write(record.as_bytes(), group.text().into_bytes(), 0o644);
    Some(format!("{} is {best}", group.link))
}

/// The two links of a name. A file that lies at the outer one stays.
fn set(model: &mut Model<'_>, link: &str, name: &str, path: &str) {
    use super::model::Found;
    let middle = format!("{LINKS}/{name}");
    model.remove(middle.as_bytes());
    model.link(middle.as_bytes(), path.as_bytes());
    match model.find_link(link.as_bytes()) {
        Some(Found::File(_) | Found::Directory | Found::Other) => {}
        _ => {
            model.remove(link.as_bytes());
            model.link(link.as_bytes(), middle.as_bytes());
        }
    }
}

impl Group {
    fn text(&self) -> String {
        let mut text = format!("auto\n{}\n", self.link);
        for (name, link) in &self.slaves {
            text += &format!("{name}\n{link}\n");
        }
        text.push('\n');
        for (path, (priority, slaves)) in &self.choices {
            text += &format!("{path}\n{priority}\n");
            for name in self.slaves.keys() {
                text += slaves.get(name).map_or("", String::as_str);
                text.push('\n');
            }
        }
        text.push('\n');
        text
    }
}

fn parse(text: &str) -> Option<Group> {
    let mut lines = text.lines();
    lines.next()?;
    let mut group = Group {
        link: lines.next()?.to_owned(),
        ..Group::default()
    };
    loop {
        match lines.next()? {
            "" => break,
            name => group
                .slaves
                .insert(name.to_owned(), lines.next()?.to_owned()),
        };
    }
    while let Some(path) = lines.next().filter(|path| !path.is_empty()) {
        let priority = lines.next()?.parse().ok()?;
        let mut slaves = BTreeMap::new();
        for name in group.slaves.keys() {
            match lines.next()? {
                "" => {}
                path => drop(slaves.insert(name.clone(), path.to_owned())),
            }
        }
        group.choices.insert(path.to_owned(), (priority, slaves));
        group.order.push(path.to_owned());
    }
    Some(group)
}
