//! The report page in a real browser.

use std::fs;
use std::path::Path;

use idx2gcs::internals::Report;
use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::reports::{fashion, many, refused};

/// Phone and desk, by day and by night.
const VIEWS: [((u32, u32), &str); 5] = [
    ((360, 780), "light"),
    ((390, 844), "dark"),
    ((1280, 900), "light"),
    ((390, 844), "light"),
    ((1280, 900), "dark"),
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium and Fashion-MNIST; scripts/test.sh runs it"]
async fn the_page_is_sound_in_a_browser() {
    let dir = tempfile::tempdir().unwrap();
    let fashion = fashion();
    let mut browser = Browser::start().await;
    for (name, report, views) in [
        ("fashion", fashion.clone(), 5),
        ("62", many(62), 3),
        ("3832", many(3832), 2),
        ("refused", refused(fashion), 3),
        ("bare", Report { title: "Bare".to_owned(), ..Report::default() }, 3),
    ] {
        let folder = dir.path().join(name);
        fs::create_dir(&folder).unwrap();
        report.write(&folder).unwrap();
        let url = format!("file://{}", folder.join("report.html").display());
        for (window, scheme) in VIEWS.into_iter().take(views) {
            browser.open(&url, window, scheme).await;
            let what = format!("{name} {}×{} {scheme}", window.0, window.1);
            check_page(&mut browser, &what, &report).await;
            keep_screenshot(&mut browser, &format!("{name}-{}-{scheme}", window.0)).await;
            // Folded parts are part of the page.
            let unfold = "document.querySelectorAll('details').forEach(d => d.open = true)";
            browser.evaluate(unfold).await;
            check_page(&mut browser, &format!("{what}, unfolded"), &report).await;
            let asked = browser.requests();
            let outside = asked.iter().filter(|to| **to != url && !to.starts_with("data:"));
            assert_eq!(outside.count(), 0, "{what}: {asked:?}");
            assert_eq!(browser.complaints(), Vec::<&Value>::new(), "{what}");
        }
    }
    browser.stop().await;
}

async fn check_page(browser: &mut Browser, what: &str, report: &Report) {
    let seen = browser.evaluate(include_str!("page.js")).await;
    let number = |key: &str| seen[key].as_f64().unwrap_or_else(|| panic!("{key}: {seen:#}"));
    for wrong in [
        "broken",
        "blurred",
        "withoutAlt",
        "emptyHeadings",
        "withoutCaption",
        "withoutScope",
        "scrollers",
        "withoutTitle",
        "ids",
        "targets",
        "scripts",
    ] {
        assert_eq!(seen[wrong], 0, "{what}, {wrong}: {seen:#}");
    }
    assert!(number("scrollWidth") <= number("clientWidth"), "{what}: {seen:#}");
    assert_eq!(seen["innerWidth"], seen["clientWidth"], "{what}: {seen:#}");
    assert_eq!(seen["sticksOut"], serde_json::json!([]), "{what}");
    assert_eq!(seen["images"], report.samples.len(), "{what}");
    assert_eq!(seen["alts"], report.samples.len(), "{what}: each image has its own text");
    assert_eq!((&seen["mains"], &seen["lang"]), (&1.into(), &"en".into()), "{what}");
    assert_eq!(seen["viewport"], "width=device-width, initial-scale=1");

    let levels: Vec<_> =
        seen["headings"].as_array().unwrap().iter().map(|l| l.as_u64().unwrap()).collect();
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1, "{what}: {levels:?}");
    assert_eq!(levels[0], 1, "{what}: {levels:?}");
    assert!(levels.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{what}: {levels:?}");

    let faintest = seen["faintest"][0].as_f64().unwrap();
    assert!(faintest >= 4.5, "{what}: {} has a contrast of {faintest}", seen["faintest"][1]);
    assert!(number("faintestShape") >= 3.0, "{what}: {seen:#}");
    let dark = seen["background"][0].as_u64().unwrap() < 100;
    assert_eq!(dark, what.contains("dark"), "{what}");
    if number("plotWidth") > 0.0 {
        assert!(number("barsFrom") >= number("namesTo"), "{what}: {seen:#}");
        assert!(number("barsTo") <= number("clientWidth") - 16.0, "{what}: {seen:#}");
        assert!(number("plotWidth") > number("clientWidth") * 0.3, "{what}: {seen:#}");
    }
}

/// Screenshots for people, where they are asked for.
async fn keep_screenshot(browser: &mut Browser, name: &str) {
    if let Some(folder) = std::env::var_os("IDX2GCS_TEST_SCREENSHOTS") {
        let png = browser.screenshot().await;
        fs::write(Path::new(&folder).join(format!("{name}.png")), png).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium; scripts/test.sh runs it"]
async fn the_page_works_by_keyboard() {
    let dir = tempfile::tempdir().unwrap();
    many(10).write(dir.path()).unwrap();
    let mut browser = Browser::start().await;
    let url = format!("file://{}", dir.path().join("report.html").display());
    browser.open(&url, (1280, 900), "light").await;
    browser.press("Tab", 9).await;
    let focused = "(() => { const at = document.activeElement; const box = at.getBoundingClientRect();
        return [at.textContent, box.top >= 0 && box.left >= 0, getComputedStyle(at).outlineStyle] })()";
    let first = browser.evaluate(focused).await;
    assert_eq!(
        first,
        serde_json::json!(["Skip to the report", true, "solid"]),
        "seen, with an outline"
    );
    browser
        .call(
            "Input.dispatchKeyEvent",
            serde_json::json!({"type": "keyDown", "key": "Enter",
        "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}),
        )
        .await;
    assert_eq!(browser.evaluate("document.activeElement.id").await, "main");
    // From there every stop is in the content, and shows that it is one.
    browser.press("Tab", 9).await;
    let next = browser.evaluate(
        "[!!document.activeElement.closest('main'), getComputedStyle(document.activeElement).outlineStyle]",
    );
    assert_eq!(next.await, serde_json::json!([true, "solid"]));
    browser.stop().await;
}
